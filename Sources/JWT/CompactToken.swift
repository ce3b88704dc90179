internal import JSON

/// The parts of a well-formed token, not yet verified.
struct CompactToken {
    static let maximumLength = 8192

    let bytes: [UInt8]
    let header: TokenHeader
    let payload: JSONObject

    /// The number of signed bytes: header and payload as in the token (RFC 7515 section 5.2).
    let signedLength: Int
    let signature: [UInt8]

    /// Checks every rule that needs no key.
    ///
    /// So libjwt and jansson get only texts that a strict parser has accepted.
    init(_ bytes: [UInt8]) throws(TokenError) {
        let segments = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard segments.count == 3, segments.allSatisfy({ !$0.isEmpty }) else { throw .invalid(.notThreeSegments) }
        guard let header = Base64URL.decode(segments[0]), let payload = Base64URL.decode(segments[1]),
            let signature = Base64URL.decode(segments[2])
        else { throw .invalid(.notBase64URL) }
        self.bytes = bytes
        signedLength = segments[0].count + 1 + segments[1].count
        self.signature = signature
        self.header = try TokenHeader(header)
        self.payload = try strictObject(payload, else: .payloadNotAnObject)
    }
}

/// The part of a JOSE header that decides how the token is checked.
struct TokenHeader {
    let keyID: [UInt8]?

    init(_ bytes: [UInt8]) throws(TokenError) {
        let object = try strictObject(bytes, else: .headerNotAnObject)
        guard object["alg"].isText("RS256") else { throw .invalid(.algorithm) }
        // An extension that is marked critical and not understood makes the token invalid (RFC 7515 section 4.1.11).
        guard object["crit"] == nil else { throw .invalid(.critical) }
        // libjwt and Clerk's own SDKs accept no other type for a session token.
        guard object["typ"].map({ $0.text?.lowercased() == "jwt" }) ?? true else { throw .invalid(.type) }
        guard let keyID = object["kid"] else {
            self.keyID = nil
            return
        }
        guard let text = keyID.text else { throw .invalid(.keyIDNotAString) }
        self.keyID = Array(text.utf8)
    }
}

/// Parses an object without a repeated name at any depth, since two parsers may read different values for such a name.
private func strictObject(_ bytes: [UInt8], else reason: TokenError.Rule) throws(TokenError) -> JSONObject {
    guard let value = try? JSONValue.parse(bytes), let object = value.object, !value.repeatsAName else {
        throw .invalid(reason)
    }
    return object
}

extension JSONValue {
    /// True if an object in this value, at any depth, has a name twice.
    var repeatsAName: Bool {
        switch self {
        case .object(let object): object.hasDuplicateNames || object.members.contains { $0.value.repeatsAName }
        case .array(let elements): elements.contains { $0.repeatsAName }
        case .null, .bool, .number, .string: false
        }
    }
}

extension JSONValue? {
    /// True if this is exactly the string `text`, byte by byte.
    func isText(_ text: String) -> Bool { self?.text?.utf8.elementsEqual(text.utf8) ?? false }
}
