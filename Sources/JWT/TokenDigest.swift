import COpenSSL

/// The SHA-256 digest of a token (FIPS 180-4): as good as the token to tell it from others, and of no use to a thief.
struct TokenDigest: Equatable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Looked up once: OpenSSL would do so for each digest.
    // A method is never changed once it is made; the process ends with it.
    nonisolated(unsafe) private static let method = EVP_MD_fetch(nil, "SHA256", nil)

    /// - Returns: nil where OpenSSL has no memory.
    init?(_ token: [UInt8]) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isMade = withUnsafeMutableBytes(of: &words) {
            EVP_Digest(token, token.count, $0.bindMemory(to: UInt8.self).baseAddress, nil, Self.method, nil) == 1
        }
        guard isMade else {
            OpenSSLErrors.clear()
            return nil
        }
        self.words = words
    }

    static func == (a: TokenDigest, b: TokenDigest) -> Bool { a.words == b.words }
}
