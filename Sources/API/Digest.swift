import COpenSSL
import JSON

/// The first half of the SHA-256 of `bytes` (FIPS 180-4), in 22 characters of base64url; nil where libcrypto refuses.
func digest(of bytes: [UInt8]) -> String? { sha256Bytes(of: bytes).map { Base64URL.encode(Array($0[..<16])) } }

/// The SHA-256 of `bytes` (FIPS 180-4) in 64 hexadecimal digits; nil where libcrypto refuses.
public func sha256(of bytes: [UInt8]) -> String? {
    let digits = Array("0123456789abcdef".utf8)
    return sha256Bytes(of: bytes).map { digest in
        String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }, as: UTF8.self)
    }
}

private func sha256Bytes(of bytes: [UInt8]) -> ArraySlice<UInt8>? {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    guard EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1 else { return nil }
    return digest[..<32]
}
