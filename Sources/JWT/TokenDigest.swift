import COpenSSL
import Glibc

/// The SHA-256 digest of a token (FIPS 180-4): as good as the token to tell it from others, and of no use to a thief.
struct TokenDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Looked up once: OpenSSL would do so for each digest.
    // A method is never changed once it is made; the process ends with it.
    nonisolated(unsafe) private static let method = EVP_MD_fetch(nil, "SHA256", nil)

    /// Where each thread finds its own context, which is freed when the thread ends.
    private static let place: pthread_key_t? = {
        var key = pthread_key_t()
        return pthread_key_create(&key) { EVP_MD_CTX_free($0.map { OpaquePointer($0) }) } == 0 ? key : nil
    }()

    /// This thread's own, made once: making and freeing two objects for each digest is an eighth of its cost.
    private static var context: OpaquePointer? {
        guard let place else { return nil }
        if let context = pthread_getspecific(place) { return OpaquePointer(context) }
        guard let context = EVP_MD_CTX_new() else { return nil }
        guard pthread_setspecific(place, UnsafeRawPointer(context)) == 0 else {
            EVP_MD_CTX_free(context)
            return nil
        }
        return context
    }

    /// - Returns: nil where OpenSSL has no memory.
    init?(_ token: [UInt8]) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let context = Self.context
        let isMade = withUnsafeMutableBytes(of: &words) {
            context != nil && EVP_DigestInit_ex2(context, Self.method, nil) == 1
                && EVP_DigestUpdate(context, token, token.count) == 1
                && EVP_DigestFinal_ex(context, $0.bindMemory(to: UInt8.self).baseAddress, nil) == 1
        }
        guard isMade else {
            OpenSSLErrors.clear()
            return nil
        }
        self.words = words
    }

    func hash(into hasher: inout Hasher) { withUnsafeBytes(of: words) { hasher.combine(bytes: $0) } }

    static func == (a: TokenDigest, b: TokenDigest) -> Bool { a.words == b.words }
}
