import Foundation
import JWT
import Logging

@testable import Server

struct CommandError: Error { let status: Int32 }

/// The output of a shell command.
func shell(_ command: String) throws -> [UInt8] {
    guard let pipe = popen(command, "re") else { throw CommandError(status: errno) }
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = fread(&chunk, 1, chunk.count, pipe)
        guard count > 0 else { break }
        output += chunk[..<count]
    }
    let status = pclose(pipe)
    guard status == 0 else { throw CommandError(status: status) }
    return output
}

/// A key pair of OpenSSL, only in memory, so that no key file remains.
struct SigningKey {
    let privatePEM: String
    let publicPEM: String

    /// A key for tests that need only one.
    static let shared = Result { try SigningKey() }

    init() throws {
        privatePEM = String(
            decoding: try shell("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null"),
            as: UTF8.self)
        publicPEM = String(
            decoding: try shell("openssl pkey -pubout <<'KEY'\n\(privatePEM)KEY\n"), as: UTF8.self)
    }

    /// The signature of `text`, which must not contain characters that the shell interprets.
    func sign(_ text: String) throws -> [UInt8] {
        try shell("printf %s '\(text)' | openssl dgst -sha256 -sign /dev/fd/3 3<<'KEY'\n\(privatePEM)KEY\n")
    }

    /// A session token with the usual claims and the given changes. Nil removes a claim.
    func token(_ claims: [String: Any?] = [:], keyID: String = "key_1") throws -> String {
        var all: [String: Any] = [
            "iss": testIssuer, "sub": "user_1", "org_id": "org_1", "exp": wallClock().rounded() + 3600,
        ]
        for (name, value) in claims { all[name] = value }
        let header = try JSONSerialization.data(withJSONObject: ["alg": "RS256", "typ": "JWT", "kid": keyID])
        let payload = try JSONSerialization.data(withJSONObject: all)
        let input = "\(base64URL(header)).\(base64URL(payload))"
        return "\(input).\(base64URL(Data(try sign(input))))"
    }
}

let testIssuer = "https://clerk.example.test"

private func base64URL(_ data: Data) -> String {
    data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}

/// A logger without output.
let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension Authenticator {
    /// An authenticator with the shared key.
    static func test() throws -> Authenticator {
        let keys = try KeySet(source: .pem(SigningKey.shared.get().publicPEM), logger: quietLogger)
        return Authenticator(verifier: Verifier(keys: keys, policy: Policy(issuer: testIssuer)))
    }
}
