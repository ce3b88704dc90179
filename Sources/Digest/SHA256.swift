import COpenSSL
internal import Text

/// The SHA-256 digest of some bytes (FIPS 180-4).
///
///     SHA256(Array("abc".utf8))?.text  // "ba7816bf 8f01cfea …", without the spaces
public struct SHA256: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// OpenSSL's method, fetched once, because `EVP_Digest` would otherwise fetch it for each digest.
    // unsafe: OpenSSL never changes a fetched method, and it is never freed.
    nonisolated(unsafe) private static let method = EVP_MD_fetch(nil, "SHA256", nil)

    /// Nil if OpenSSL has no memory.
    public init?(_ bytes: [UInt8]) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isMade = withUnsafeMutableBytes(of: &words) {
            let digest = $0.bindMemory(to: UInt8.self).baseAddress
            return EVP_Digest(bytes, bytes.count, digest, nil, Self.method, nil) == 1
        }
        guard isMade else {
            // The error stays in this thread's queue otherwise, and its next TLS call would report it.
            ERR_clear_error()
            return nil
        }
        self.words = words
    }

    public static func == (a: SHA256, b: SHA256) -> Bool { a.words == b.words }

    public func hash(into hasher: inout Hasher) { withUnsafeBytes(of: words) { hasher.combine(bytes: $0) } }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// The digest as 64 hexadecimal digits.
    public var text: String { Hexadecimal.text(bytes) }
}
