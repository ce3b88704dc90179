internal import JSON

/// The signing keys in force.
enum SigningKeys: Equatable, Sendable {
    /// One key for all tokens, with any `kid`.
    case one(PublicKey)
    /// Keys by their `kid`. All keys with the same `kid` are in force.
    ///
    /// A `kid` is bytes, since `String`'s `==` equates different spellings.
    case named([[UInt8]: [PublicKey]])

    var count: Int {
        switch self {
        case .one: 1
        case .named(let keys): keys.values.reduce(0) { $0 + $1.count }
        }
    }
}

extension KeyError {
    static let notJSON = KeyError("it is not JSON with distinct names")
    static let noKeysArray = KeyError("it has no array \"keys\"")
    static let notKeys = KeyError("it has no usable key, and an element that is not a key")
}

/// The keys for RS256 of a JSON Web Key Set (RFC 7517).
struct JWKS: Equatable, Sendable {
    let keys: SigningKeys
    /// The reasons why other keys of the document were skipped.
    let skipped: [String]

    init(keys: SigningKeys, skipped: [String]) {
        self.keys = keys
        self.skipped = skipped
    }

    /// Reads a document. Keys for another purpose are skipped, as section 5 of the RFC requires.
    ///
    /// A set without any key means that its publisher has withdrawn all keys, so that no key is in force. A repeated
    /// key counts once. Section 4.5 advises against different signing keys with one `kid`, but does not forbid them.
    /// Each of them may verify a token, since the publisher vouches for all of them.
    init(_ bytes: [UInt8]) throws(KeyError) {
        // A byte order mark may be ignored (RFC 8259 section 8.1).
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard let document = try? JSONValue.parse(bytes), !document.repeatsAName else { throw .notJSON }
        guard let elements = document.object?["keys"]?.array else { throw .noKeysArray }
        var keys: [[UInt8]: [PublicKey]] = [:]
        var skipped: [String] = []
        for (index, element) in elements.enumerated() {
            do throws(KeyError) {
                let jwk = try JWK(element)
                if !keys[jwk.keyID, default: []].contains(jwk.key) { keys[jwk.keyID, default: []].append(jwk.key) }
            } catch {
                skipped.append("key \(index + 1): \(error.text)")
            }
        }
        guard !keys.isEmpty || elements.allSatisfy({ $0.object != nil }) else { throw .notKeys }
        self.init(keys: .named(keys), skipped: skipped)
    }
}

/// One key of a set that is intended for RS256 signatures and suitable for them.
private struct JWK {
    let keyID: [UInt8]
    let key: PublicKey

    init(_ value: JSONValue) throws(KeyError) {
        guard let object = value.object else { throw KeyError("it is not an object") }
        guard object["kty"].isText("RSA") else { throw KeyError("its kty is not RSA") }
        guard object["use"] == nil || object["use"].isText("sig") else { throw KeyError("its use is not sig") }
        guard object["alg"] == nil || object["alg"].isText("RS256") else { throw KeyError("its alg is not RS256") }
        guard object["key_ops"].map({ $0.array?.contains { Optional($0).isText("verify") } ?? false }) ?? true else {
            throw KeyError("its key_ops do not contain verify")
        }
        guard let keyID = object["kid"]?.text, !keyID.isEmpty else { throw KeyError("it has no kid") }
        guard let modulus = object["n"]?.text.flatMap({ Base64URL.decode($0.utf8) }),
            let exponent = object["e"]?.text.flatMap({ Base64URL.decode($0.utf8) })
        else { throw KeyError("its n or e is not base64url") }
        key = try PublicKey(modulus: modulus, exponent: exponent)
        self.keyID = Array(keyID.utf8)
    }
}
