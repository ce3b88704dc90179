internal import JSON

/// The value of `CLERK_JWT_KEY`, in any form that files, shells and control panels produce.
///
/// Clerk's own SDKs accept a PEM without its line breaks, or without its first and last line. Other common alterations
/// are undone as well. A PEM has neither quotes nor backslashes, so none of this can change a key.
struct KeyText {
    let der: [UInt8]
    /// True for a bare RSAPublicKey (RFC 8017), false for an SPKI.
    let isPKCS1: Bool

    private static let (begin, end, dashes) = ("-----BEGIN", "-----END", "-----")

    /// The one public key in `text`.
    init(_ text: String) throws(KeyError) {
        let text = Self.unescaped(text)
        guard !text.contains(Self.begin) else {
            self = try Self.armoured(text)
            return
        }
        let bare = text.filter { !$0.isWhitespace && !"\"'`,;".contains($0) }
        guard let bytes = Self.decoded(bare), !bytes.isEmpty else { throw Self.guess(bare) }
        // Some panels accept only one line, so operators encode the whole PEM in base64 again.
        let inner = String(decoding: bytes, as: UTF8.self)
        guard !inner.contains(Self.begin) else {
            self = try Self.armoured(Self.unescaped(inner))
            return
        }
        guard bytes.first == 0x30, bytes.count > 64 else { throw Self.guess(bare) }
        let content = bytes.dropFirst(bytes[1] < 0x80 ? 2 : 2 + Int(bytes[1] & 0x7F))
        // A private key begins with a version (RFC 5958, RFC 8017), a bare public key with a long number.
        guard !content.starts(with: [2, 1, 0]) else { throw .privateKey }
        self.init(der: bytes, isPKCS1: content.first == 2)
    }

    private init(der: [UInt8], isPKCS1: Bool) {
        self.der = der
        self.isPKCS1 = isPKCS1
    }

    private static func armoured(_ text: String) throws(KeyError) -> KeyText {
        var blocks: [(label: String, body: Substring)] = []
        var rest = text[...]
        while let start = rest.firstRange(of: begin) {
            rest = rest[start.upperBound...]
            guard let close = rest.firstRange(of: dashes) else { throw .cutOff }
            let label = rest[..<close.lowerBound].filter { !$0.isWhitespace }
            if label.hasSuffix("PRIVATEKEY") { throw .privateKey }
            if label.hasSuffix("CERTIFICATE") { throw .certificate }
            rest = rest[close.upperBound...]
            guard let stop = rest.firstRange(of: end) else { throw .cutOff }
            blocks.append((label, rest[..<stop.lowerBound]))
            rest = rest[stop.upperBound...]
        }
        guard blocks.count == 1 else {
            throw KeyError("holds \(blocks.count) PEM blocks; exactly one public key is expected")
        }
        guard ["PUBLICKEY", "RSAPUBLICKEY"].contains(blocks[0].label),
            let der = decoded(blocks[0].body.filter { !$0.isWhitespace })
        else { throw .noKey }
        return KeyText(der: der, isPKCS1: blocks[0].label == "RSAPUBLICKEY")
    }

    /// Replaces line breaks that are escaped with backslashes, once or several times, by spaces.
    private static func unescaped(_ text: String) -> String {
        var result = ""
        var escaping = false
        for character in text.unicodeScalars {
            if character == "\\" {
                escaping = true
            } else {
                let isBreak = escaping && ["n", "r", "t"].contains(character)
                result.unicodeScalars.append(isBreak || character == "\u{FEFF}" ? " " : character)
                escaping = false
            }
        }
        return result
    }

    /// Decodes base64 in either alphabet, padded or not.
    private static func decoded(_ text: String) -> [UInt8]? {
        let plain = text.utf8.map { byte in
            byte == UInt8(ascii: "+") ? UInt8(ascii: "-") : byte == UInt8(ascii: "/") ? UInt8(ascii: "_") : byte
        }
        let padding = plain.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return padding > 2 ? nil : Base64URL.decode(plain.dropLast(padding))
    }

    /// The error for a text that is not a key, by its probable kind.
    private static func guess(_ text: String) -> KeyError {
        if text.contains("://") { return .address }
        if text.hasPrefix("{") || text.hasPrefix("[") { return .document }
        if ["pk_", "sk_"].contains(where: text.hasPrefix) { return .clerkKey }
        if text.hasPrefix("/") || text.hasPrefix("./") || text.hasSuffix(".pem") { return .path }
        return .noKey
    }
}

extension KeyError {
    private static let expected =
        "the public key (PEM, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----) is expected"

    fileprivate static let noKey = KeyError("holds no key; \(expected)")
    fileprivate static let privateKey = KeyError(
        "holds a private key, which this server must not have; it needs the public key alone")
    fileprivate static let certificate = KeyError(
        "holds a certificate; it needs the public key alone (openssl x509 -pubkey -noout)")
    fileprivate static let cutOff = KeyError(
        "holds the beginning of a key alone; in a file of variables it is one line, with \\n for a line break")
    fileprivate static let path = KeyError(
        "holds a file's name; it takes the key itself, and CLERK_JWKS_FILE a file with a JWKS")
    fileprivate static let address = KeyError("holds an address; CLERK_JWKS_URL takes the one of a JWKS")
    fileprivate static let document = KeyError("holds JSON; CLERK_JWKS_FILE takes a file with a JWKS")
    fileprivate static let clerkKey = KeyError("holds Clerk's publishable or secret key; \(expected)")
}
