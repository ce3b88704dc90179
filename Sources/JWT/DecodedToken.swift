import CJWT

extension CompactToken {
    /// Whether the signature is the RS256 signature of `key`.
    ///
    /// libjwt decides, unless it cannot read the token. It has jansson read all claims, also those that are not used.
    /// jansson reads neither whole numbers of more than 64 bits, nor real ones beyond a double's range, nor NUL, nor
    /// lone surrogates. The strict parser has read them already, so that only the signature is left to check.
    func isSigned(by key: PublicKey) -> Bool {
        if let decoded = DecodedToken(verifying: self, with: key) { return decoded.isRS256 }
        return !DecodedToken.canBeRead(self) && key.verifies(signature, of: bytes.prefix(signedLength))
    }
}

/// One token that libjwt has verified: the owner of a `jwt_t`.
private struct DecodedToken: ~Copyable {
    private let handle: OpaquePointer

    /// Verifies the signature; nil where it does not verify or libjwt cannot read the token.
    ///
    /// libjwt uses the algorithm that the token names, checks no claim and trusts any key of length 0. So a token has
    /// to be a ``CompactToken`` first, and ``isRS256`` is checked afterwards.
    init?(verifying token: CompactToken, with key: PublicKey) {
        guard !key.pem.isEmpty, let decoded = key.pem.withUnsafeBufferPointer({ Self.decode(token, key: $0) }) else {
            return nil
        }
        handle = decoded
    }

    /// Whether the signature that was verified is of the one algorithm that is allowed.
    var isRS256: Bool { jwt_get_alg(handle) == JWT_ALG_RS256 }

    deinit { jwt_free(handle) }

    /// Whether libjwt can read the token, verified or not.
    static func canBeRead(_ token: CompactToken) -> Bool {
        guard let decoded = decode(token, key: UnsafeBufferPointer(start: nil, count: 0)) else { return false }
        jwt_free(decoded)
        return true
    }

    /// Without a key, nothing is verified.
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
