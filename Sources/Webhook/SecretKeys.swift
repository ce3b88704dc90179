internal import Digest
internal import Files
internal import JSON

/// The keys of `SECRETS_KEY_FILE`, the newest first.
///
/// The file has one key per line: 32 bytes in base64. A key that was used once stays in it, behind the newer ones.
public struct SecretKeys: Sendable {
    /// The reason why the file cannot be used, as a predicate of the variable. It quotes no key.
    public struct Invalid: Error, Equatable, Sendable {
        public let text: String
    }

    /// At least one key of 32 bytes.
    let all: [[UInt8]]

    private static let length = 32
    private static let mostBytes = 64 << 10

    /// Reads the file at `path`.
    public init(file path: String) throws(Invalid) {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try TrustedFile.read(path, atMost: Self.mostBytes)
        } catch {
            throw Invalid(text: error.text)
        }
        try self.init(lines: bytes)
    }

    /// Reads the content of a file. Blank lines are ignored.
    init(lines bytes: [UInt8]) throws(Invalid) {
        var keys: [[UInt8]] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
            let text = Array(line.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
            guard !text.isEmpty else { continue }
            guard let key = Base64.decode(text), key.count == Self.length else {
                throw Invalid(
                    text: "names a file whose line \(index + 1) is not \(Self.length) bytes in base64, as "
                        + "`openssl rand -base64 32` prints them")
            }
            keys.append(key)
        }
        guard !keys.isEmpty else { throw Invalid(text: "names a file without a key") }
        all = keys
    }

    /// The secrets of a webhook by each key, that of the newest key first. Nil if OpenSSL has no memory.
    ///
    /// The first is shown to the receiver. The sender signs with all of them.
    public func webhookSecrets(organization: String, version: Int) -> [WebhookSecret]? {
        var secrets: [WebhookSecret] = []
        for key in all {
            guard let secret = WebhookSecret(key: key, organization: organization, version: version) else { return nil }
            secrets.append(secret)
        }
        return secrets
    }
}
