import COpenSSL
internal import Text

/// The SHA-256 digest of some bytes (FIPS 180-4).
///
///     SHA256(Array("abc".utf8))?.text  // "ba7816bf 8f01cfea …", without the spaces
public struct SHA256: Equatable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Looked up once, as OpenSSL otherwise looks it up for each digest.
    // A method is never changed once it is made; it lives as long as the process.
    nonisolated(unsafe) private static let method = EVP_MD_fetch(nil, "SHA256", nil)

    /// - Returns: nil where OpenSSL has no memory.
    public init?(_ bytes: [UInt8]) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isMade = withUnsafeMutableBytes(of: &words) {
            let digest = $0.bindMemory(to: UInt8.self).baseAddress
            return EVP_Digest(bytes, bytes.count, digest, nil, Self.method, nil) == 1
        }
        guard isMade else {
            // This thread's next TLS call would take the error for its own.
            ERR_clear_error()
            return nil
        }
        self.words = words
    }

    public static func == (a: SHA256, b: SHA256) -> Bool { a.words == b.words }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// 64 hexadecimal digits.
    public var text: String { Hexadecimal.text(bytes) }
}
