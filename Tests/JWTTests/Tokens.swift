import Foundation
import JSON

@testable import JWT

/// The wall clock of the tests.
let now = 1_750_000_000.0
let issuer = "https://clerk.example.test"
let party = "https://app.example.test"

/// A token's header and payload as JSON.
struct Token {
    var header: String
    var payload: String
    var key = SigningKey.first

    /// A valid token with changes to its header and claims.
    init(header: [String: String?] = [:], _ claims: [String: String?] = [:], key: SigningKey = .first) {
        self.header = json(["alg": "\"RS256\"", "typ": "\"JWT\"", "kid": "\"first\""], header)
        payload = json(
            [
                "iss": "\"\(issuer)\"", "sub": "\"user_1\"", "azp": "\"\(party)\"", "sid": "\"sess_1\"",
                "org_id": "\"org_1\"", "org_role": "\"admin\"", "exp": "1750000060", "nbf": "1749999990",
                "iat": "1749999990",
            ], claims)
        self.key = key
    }

    init(rawHeader: String, _ claims: [String: String?] = [:]) {
        self.init(claims)
        header = rawHeader
    }

    init(rawPayload: String) {
        self.init()
        payload = rawPayload
    }

    var signingInput: String { "\(base64URL(header.utf8)).\(base64URL(payload.utf8))" }
    var text: String { signed { key.sign($0) } }

    func signed(_ sign: (String) -> [UInt8]) -> String { "\(signingInput).\(base64URL(sign(signingInput)))" }
}

extension KeySet {
    /// A started key set without a log.
    static func quiet(
        _ source: KeySource, pace: FetchSchedule.Pace? = nil, client: HTTPSClient = HTTPSClient(),
        maxAge: Duration = KeySet.usualMaxAge, report: @escaping @Sendable (KeyEvent) -> Void = { _ in }
    ) throws -> KeySet {
        let keys = try KeySet(source: source, pace: pace ?? .file, client: client, maxAge: maxAge, report: report)
        try keys.start()
        return keys
    }
}

extension Verifier {
    /// A verifier with the PEM of the first key.
    static func pem(parties: [String]? = [party], cacheCapacity: Int = 100) throws -> Verifier {
        Verifier(
            keys: try .quiet(.pem(SigningKey.first.publicPEM)),
            policy: Policy(issuer: issuer, authorizedParties: parties), cacheCapacity: cacheCapacity)
    }

    func verify(_ token: String, now: Double) throws(TokenError) -> Claims { try verify(token, at: TokenTime(now)) }

    func verify(_ token: [UInt8], now: Double, mayWait: Bool = true) throws(TokenError) -> Claims {
        try verify(token, at: TokenTime(now), mayWait: mayWait)
    }

    /// The reason why a token is refused. Nil if it is accepted.
    func reason(_ token: String, now: Double = now) -> TokenError? {
        do throws(TokenError) {
            _ = try verify(token, now: now)
            return nil
        } catch {
            return error
        }
    }
}

/// A folder that is removed with its last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/jwt-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file in one step, as a careful writer does.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        return "\(path)/\(name)"
    }
}

func jwks(_ keys: String...) -> String { "{\"keys\":[\(keys.joined(separator: ","))]}" }
