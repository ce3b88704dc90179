import API
import JWT

/// Verifies the token in a request's `Authorization` header (definitions.md section 7).
struct Authenticator: Sendable {
    let verifier: Verifier
    private let clock = TokenClock()

    /// The seconds after `exp` for which a token is accepted.
    static let leeway = 5.0

    init(verifier: Verifier) { self.verifier = verifier }

    /// The time in seconds since 1970 that tokens expire by.
    var now: Double { clock.now().now }

    /// Returns the verified claims. Nil if the key has to be waited for and `mayWait` is false.
    ///
    /// - Throws: a 401. A 503 if no signing key has been fetched yet, or none for too long.
    func authenticate(_ authorization: [UInt8]?, mayWait: Bool) throws(Problem) -> Claims? {
        guard let token = Self.bearerToken(authorization) else { throw .tokenMissing }
        return try authenticate(token: token, mayWait: mayWait)
    }

    /// The same for a token without its scheme.
    func authenticate(token: [UInt8], mayWait: Bool) throws(Problem) -> Claims? {
        do throws(TokenError) {
            return try verifier.verify(token, at: clock.now(), mayWait: mayWait)
        } catch .keyNotYetFetched {
            return nil
        } catch {
            throw Problem(error)
        }
    }

    /// The credentials of the scheme Bearer, in any case (RFC 9110 section 11.1, RFC 6750 section 2.1).
    static func bearerToken(_ authorization: [UInt8]?) -> [UInt8]? {
        guard let authorization, let space = authorization.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<space].map({ $0 | 0x20 }).elementsEqual("bearer".utf8)
        else { return nil }
        let token = authorization[space...].drop { $0 == UInt8(ascii: " ") }
        return token.isEmpty ? nil : Array(token)
    }
}
