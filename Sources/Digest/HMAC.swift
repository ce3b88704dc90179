import COpenSSL

/// A message authentication code with SHA-256 (RFC 2104, FIPS 198-1).
public enum HMAC {
    /// The 32 bytes of HMAC-SHA-256. Nil if OpenSSL has no memory.
    public static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8]? {
        guard let keyLength = CInt(exactly: key.count) else { return nil }
        var code = [UInt8](repeating: 0, count: 32)
        var length: CUnsignedInt = 0
        let made = code.withUnsafeMutableBufferPointer {
            COpenSSL.HMAC(EVP_sha256(), key, keyLength, message, message.count, $0.baseAddress, &length)
        }
        guard made != nil, length == 32 else {
            // The error stays in this thread's queue otherwise, and its next TLS call would report it.
            ERR_clear_error()
            return nil
        }
        return code
    }
}
