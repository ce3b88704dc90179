import CJWT
import Glibc

/// One token that libjwt has verified: the owner of a `jwt_t`.
struct DecodedToken: ~Copyable {
    private let handle: OpaquePointer

    /// Verifies the signature; nil where it does not verify or libjwt takes the token apart in another way.
    ///
    /// libjwt goes by the token's own algorithm, reads no claim and trusts any key of length 0, so a token
    /// has to be a ``CompactToken`` first, and ``isRS256`` is asked afterwards.
    init?(verifying token: CompactToken, with key: PublicKey) {
        // libjwt leaves what went wrong in OpenSSL's queue, where the next TLS call of this thread would find it.
        defer { OpenSSLErrors.clear() }
        var decoded: OpaquePointer?
        let text = token.bytes.map { CChar(bitPattern: $0) } + [0]
        let code = key.pem.withUnsafeBufferPointer { pem -> CInt in
            guard let start = pem.baseAddress, let length = CInt(exactly: pem.count), length > 0 else { return EINVAL }
            return jwt_decode(&decoded, text, start, length)
        }
        guard let decoded else { return nil }
        guard code == 0 else {
            jwt_free(decoded)
            return nil
        }
        handle = decoded
    }

    /// Whether the signature that was verified is of the one algorithm that is allowed.
    var isRS256: Bool { jwt_get_alg(handle) == JWT_ALG_RS256 }

    deinit { jwt_free(handle) }
}
