import API
import JWT

/// Turns an `Authorization` header into a principal (definitions.md section 7).
struct Authenticator: Sendable {
    let verifier: Verifier
    private let clock = TokenClock()

    init(verifier: Verifier) { self.verifier = verifier }

    /// The principal; nil where that takes waiting for a key, which `mayWait` does not allow.
    ///
    /// - Throws: a 401, or a 503 while no signing key has been fetched, or none for too long.
    func authenticate(_ authorization: [UInt8]?, mayWait: Bool) throws(Problem) -> Principal? {
        guard let token = Self.bearerToken(authorization) else { throw .tokenMissing }
        do throws(TokenError) {
            return Principal(try verifier.verify(token, at: clock.now(), mayWait: mayWait))
        } catch {
            switch error {
            case .keyNotThereYet: return nil
            case .invalid(let reason): throw .unauthorized(reason.kind, reason.text)
            case .keysUnavailable:
                throw .unavailable(
                    .keysUnavailable, "No signing key of Clerk's has been fetched yet, or none for too long.",
                    retryAfter: 5)
            }
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

extension Reason {
    /// What a program can do about it decides which of them it is told apart.
    fileprivate var kind: ProblemKind {
        switch self {
        case .expired: .tokenExpired
        case .notYetValid, .issuedInTheFuture: .tokenNotYetValid
        case .sessionPending: .sessionPending
        default: .tokenInvalid
        }
    }
}
