import CJWT

extension CompactToken {
    /// True if the signature is the RS256 signature of `key`.
    ///
    /// libjwt decides unless it cannot read the token. It has jansson parse all claims, including the unused ones.
    /// jansson rejects whole numbers of more than 64 bits, real numbers beyond a double's range, NUL and lone
    /// surrogates. The strict parser has already read the token, so that only the signature remains to be checked.
    func isSigned(by key: PublicKey) -> Bool {
        if let decoded = DecodedToken(verifying: self, with: key) { return decoded.isRS256 }
        return !DecodedToken.canBeRead(self) && key.verifies(signature, of: bytes.prefix(signedLength))
    }
}

/// The owner of a `jwt_t`, one token that libjwt has verified.
private struct DecodedToken: ~Copyable {
    private let handle: OpaquePointer

    /// Verifies the signature. Nil if it does not verify or libjwt cannot read the token.
    ///
    /// libjwt uses the algorithm that the token names, checks no claim and trusts any key of length 0. So the token
    /// must be a ``CompactToken`` first, and ``isRS256`` must be checked afterwards.
    init?(verifying token: CompactToken, with key: PublicKey) {
        guard !key.pem.isEmpty, let decoded = key.pem.withUnsafeBufferPointer({ Self.decode(token, key: $0) }) else {
            return nil
        }
        handle = decoded
    }

    /// True if the verified signature uses RS256, the only allowed algorithm.
    var isRS256: Bool { jwt_get_alg(handle) == JWT_ALG_RS256 }

    deinit { jwt_free(handle) }

    /// True if libjwt can read the token, even if it does not verify.
    static func canBeRead(_ token: CompactToken) -> Bool {
        guard let decoded = decode(token, key: UnsafeBufferPointer(start: nil, count: 0)) else { return false }
        jwt_free(decoded)
        return true
    }

    /// Decodes the token. Without a key, libjwt does not verify it.
    private static func decode(_ token: CompactToken, key: UnsafeBufferPointer<UInt8>) -> OpaquePointer? {
        // libjwt leaves its errors in OpenSSL's queue, where this thread's next TLS call would find them.
        defer { OpenSSLErrors.clear() }
        guard let length = CInt(exactly: key.count) else { return nil }
        var decoded: OpaquePointer?
        let text = token.bytes.map { CChar(bitPattern: $0) } + [0]
        guard jwt_decode(&decoded, text, key.baseAddress, length) != 0 else { return decoded }
        if let decoded { jwt_free(decoded) }
        return nil
    }
}
