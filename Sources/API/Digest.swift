import COpenSSL
import JSON

/// The first half of the SHA-256 of `bytes` (FIPS 180-4), in 22 characters of base64url; nil where libcrypto refuses.
func digest(of bytes: [UInt8]) -> String? {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    guard EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1 else { return nil }
    return Base64URL.encode(Array(digest[..<16]))
}
