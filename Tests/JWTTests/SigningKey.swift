import COpenSSL
import Foundation

/// A private key for the tests, which signs any text.
// @unchecked: OpenSSL counts references to its keys, which are read-only once made. Each signature has its own context.
final class SigningKey: @unchecked Sendable {
    static let first = SigningKey(bits: 2048)
    static let second = SigningKey(bits: 2048)
    static let third = SigningKey(bits: 3072)
    static let short = SigningKey(bits: 1024)

    private let key: OpaquePointer?

    init(bits: Int32) {
        let context = EVP_PKEY_CTX_new_from_name(nil, "RSA", nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits)
        EVP_PKEY_keygen(context, &key)
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// The public key as SPKI.
    var publicPEM: String { pem { PEM_write_bio_PUBKEY($0, key) } }

    /// The private key as PKCS#8.
    var privatePEM: String { pem { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }

    /// The public key as PKCS#1.
    var pkcs1PEM: String {
        var der: UnsafeMutablePointer<UInt8>?
        let length = i2d_PublicKey(key, &der)
        defer { reengagement_OPENSSL_free(der) }
        let text = Data(bytes: der!, count: Int(length)).base64EncodedString(options: .lineLength64Characters)
        return "-----BEGIN RSA PUBLIC KEY-----\n\(text.replacing("\r\n", with: "\n"))\n-----END RSA PUBLIC KEY-----\n"
    }

    var modulus: String { number(OSSL_PKEY_PARAM_RSA_N) }
    var exponent: String { number(OSSL_PKEY_PARAM_RSA_E) }

    /// The public key as a JWK, with the members changed. Values are JSON, and nil removes a member.
    func jwk(_ keyID: String, _ changes: [String: String?] = [:]) -> String {
        json(
            [
                "kty": "\"RSA\"", "use": "\"sig\"", "alg": "\"RS256\"", "kid": "\"\(keyID)\"", "n": "\"\(modulus)\"",
                "e": "\"\(exponent)\"",
            ], changes)
    }

    func sign(_ text: String, digest: OpaquePointer? = EVP_sha256()) -> [UInt8] { signature(of: text, key, digest) }

    private func number(_ name: String) -> String {
        var number: OpaquePointer?
        EVP_PKEY_get_bn_param(key, name, &number)
        defer { BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(number) + 7) / 8)
        BN_bn2bin(number, &bytes)
        return base64URL(bytes)
    }

    private func pem(_ write: (OpaquePointer?) -> Int32) -> String {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free_all(bio) }
        _ = write(bio)
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// An HMAC for the key confusion attack, which signs with the public key as the secret.
func hmac(_ text: String, secret: String, digest: OpaquePointer? = EVP_sha256()) -> [UInt8] {
    let bytes = Array(secret.utf8)
    let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, nil, bytes, bytes.count)
    defer { EVP_PKEY_free(key) }
    return signature(of: text, key, digest)
}

private func signature(of text: String, _ key: OpaquePointer?, _ digest: OpaquePointer?) -> [UInt8] {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    let bytes = Array(text.utf8)
    EVP_DigestSignInit(context, nil, digest, nil, key)
    var length = 0
    EVP_DigestSign(context, nil, &length, bytes, bytes.count)
    var signature = [UInt8](repeating: 0, count: length)
    EVP_DigestSign(context, &signature, &length, bytes, bytes.count)
    return Array(signature.prefix(length))
}

func base64URL(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}

/// A JSON object of the members with the changes applied. A change to nil removes the member.
func json(_ members: [String: String], _ changes: [String: String?] = [:]) -> String {
    var members = members
    for (name, value) in changes { members[name] = value }
    return "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
}
