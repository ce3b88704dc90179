internal import JSON

/// The signing keys in force.
enum SigningKeys: Equatable, Sendable {
    /// One key for all tokens, with any `kid`.
    case one(PublicKey)
    /// Keys by their `kid`, as bytes, since `String`'s own `==` equates different spellings. Several keys of one `kid`
    /// are all in force.
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
    static let notKeys = KeyError("it has no usable key, and something that is no key")
}

/// A JSON Web Key Set (RFC 7517), reduced to its keys for RS256.
struct JWKS: Equatable, Sendable {
    let keys: SigningKeys
    /// Why other keys of the document were skipped.
    let skipped: [String]

    init(keys: SigningKeys, skipped: [String]) {
        self.keys = keys
        self.skipped = skipped
    }

    /// Reads a document; keys for another purpose are skipped, as section 5 of the RFC asks for.
    ///
    /// A set without any key means that its publisher has withdrawn all keys, so that none is in force. A repeated key
    /// counts once. Of different signing keys with one `kid`, which section 4.5 advises against and does not forbid,
    /// each may verify a token, since the publisher vouches for all of them.
    init(_ bytes: [UInt8]) throws(KeyError) {
        // RFC 8259 section 8.1: a byte order mark may be ignored.
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

/// One key of a set that is meant for RS256 signatures and fit for them.
private struct JWK {
    let keyID: [UInt8]
    let key: PublicKey

    init(_ value: JSONValue) throws(KeyError) {
        guard let object = value.object else { throw KeyError("it is not an object") }
        guard object["kty"].isText("RSA") else { throw KeyError("its kty is not RSA") }
        guard object["use"] == nil || object["use"].isText("sig") else { throw KeyError("its use is not sig") }
        guard object["alg"] == nil || object["alg"].isText("RS256") else { throw KeyError("its alg is not RS256") }
        guard object["key_ops"].map({ $0.array?.contains { Optional($0).isText("verify") } ?? false }) ?? true else {
            throw KeyError("its key_ops hold no verify")
        }
        guard let keyID = object["kid"]?.text, !keyID.isEmpty else { throw KeyError("it has no kid") }
        guard let modulus = object["n"]?.text.flatMap({ Base64URL.decode($0.utf8) }),
            let exponent = object["e"]?.text.flatMap({ Base64URL.decode($0.utf8) })
        else { throw KeyError("its n or e is not base64url") }
        key = try PublicKey(modulus: modulus, exponent: exponent)
        self.keyID = Array(keyID.utf8)
    }
}
