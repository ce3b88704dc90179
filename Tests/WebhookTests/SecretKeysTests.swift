import JSON
import Testing

@testable import Webhook

@Suite("The keys of secrets and the secrets of webhooks")
struct SecretKeysTests {
    private static let first = [UInt8](0..<32)
    private static let second = [UInt8](repeating: 0xFF, count: 32)

    private func keys(_ text: String) throws -> SecretKeys { try SecretKeys(lines: Array(text.utf8)) }

    private func reason(_ text: String) -> String? {
        do throws(SecretKeys.Invalid) {
            _ = try SecretKeys(lines: Array(text.utf8))
            return nil
        } catch {
            return error.text
        }
    }

    @Test("Keys are read in order, with any line ends and blank lines")
    func lines() throws {
        let (first, second) = (Base64.encode(Self.first), Base64.encode(Self.second))
        for text in ["\(first)\n\(second)\n", "\n \(first)\t\r\n\r\n\(second)"] {
            #expect(try keys(text).all == [Self.first, Self.second])
        }
    }

    @Test("A file without a key, or with another line, is refused with the number of the line")
    func invalid() throws {
        let good = Base64.encode(Self.first)
        for text in ["", "\n", " \r\n"] { #expect(reason(text) == "names a file without a key") }
        for line in [
            "x", "# a comment", String(good.dropLast()), good + "=", good + " " + good, Base64.encode([UInt8](0..<31)),
            Base64.encode([UInt8](0..<33)), good.replacing("+", with: "-").replacing("A", with: "_"), "\u{FEFF}" + good,
        ] {
            let found = try #require(reason("\(good)\n\(line)\n"), "\(line)")
            #expect(found.hasPrefix("names a file whose line 2 is not 32 bytes in base64"))
            #expect(!found.contains(line))
        }
    }

    @Test("The secret is the HMAC of label, organization and version, and differs by each and by the key")
    func secrets() throws {
        let keys = try keys("\(Base64.encode(Self.first))\n\(Base64.encode(Self.second))")
        let secrets = try #require(keys.webhookSecrets(organization: "org_2abc123", version: 1)).map(\.text)
        // From: printf 'webhook\0org_2abc123\x001' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f -binary | base64
        #expect(secrets[0] == "whsec_1yfHvUQOqzjZyGrhH/9PNSlYN0eCsih3pKmUMZ9jAdo=")
        let more = [("org_2abc123", 2), ("org_2abc12", 1), ("org_2abc123\u{0}1", 1)].flatMap {
            (keys.webhookSecrets(organization: $0.0, version: $0.1) ?? []).map(\.text)
        }
        #expect(Set(secrets + more).count == 8)
    }

    /// The example of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    @Test("The signature is that of Standard Webhooks")
    func signature() throws {
        let key = try #require(Base64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8))
        let secret = WebhookSecret(bytes: key)
        #expect(secret.text == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        let signature = secret.signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("Base64 has one spelling of each value")
    func base64() {
        for (text, bytes) in [("", []), ("Zg==", [0x66]), ("+/8=", [0xFB, 0xFF]), ("Zm9v", [0x66, 0x6F, 0x6F])]
            as [(String, [UInt8])]
        {
            #expect(Base64.encode(bytes) == text)
            #expect(Base64.decode(text.utf8) == bytes)
        }
        for text in ["Zg", "Zg=", "Zh==", "-_8=", "Zg===", "====", "Zm9v\n", "Z m9"] {
            #expect(Base64.decode(text.utf8) == nil, "\(text)")
        }
    }
}
