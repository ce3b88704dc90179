internal import JSON

/// The signing keys in force.
enum SigningKeys: Equatable, Sendable {
    /// One key, whatever a token's `kid` says.
    case one(PublicKey)
    /// Keys by their `kid`, as bytes: `String`'s own `==` takes different spellings for equal. Several of one `kid` are
    /// all in force.
    case named([[UInt8]: [PublicKey]])

    var count: Int {
        switch self {
        case .one: 1
        case .named(let keys): keys.values.reduce(0) { $0 + $1.count }
        }
    }
}

/// Why a text is not a usable set of keys.
enum JWKSError: Error, Equatable {
    case notJSON
    case noKeysArray
    case notKeys

    /// What is wrong, for the log.
    var text: String {
        switch self {
        case .notJSON: "it is not JSON with distinct names"
        case .noKeysArray: "it has no array \"keys\""
        case .notKeys: "it has no usable key, and something that is no key"
        }
    }
}

/// A JSON Web Key Set (RFC 7517), of which only what RS256 needs is kept.
struct JWKS: Equatable, Sendable {
    let keys: SigningKeys
    /// Why other keys of the document were passed over.
    let skipped: [String]

    init(keys: SigningKeys, skipped: [String]) {
        self.keys = keys
        self.skipped = skipped
    }

    /// Reads a document; keys for another purpose are skipped, as section 5 of the RFC asks for.
    ///
    /// A set without a key that is left means that no key is in force: whoever publishes it has withdrawn them. A key that
    /// stands there twice counts once. Of different signing keys with one `kid`, which section 4.5 advises
    /// against and does not forbid, each may verify a token: whoever publishes the set vouches for all of them.
    init(_ bytes: [UInt8]) throws(JWKSError) {
        // RFC 8259 section 8.1: a byte order mark may be ignored.
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard let document = try? JSONValue.parse(bytes), !document.repeatsAName else { throw .notJSON }
        guard let elements = document.object?["keys"]?.array else { throw .noKeysArray }
        var keys: [[UInt8]: [PublicKey]] = [:]
        var skipped: [String] = []
        for (index, element) in elements.enumerated() {
            do throws(JWK.Unusable) {
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
    enum Unusable: Error, Equatable {
        case notAnObject, notRSA, notForSignatures, notForRS256, notForVerifying, noKeyID, noNumbers
        case unfit(PublicKey.Fault)
    }

    let keyID: [UInt8]
    let key: PublicKey

    init(_ value: JSONValue) throws(Unusable) {
        guard let object = value.object else { throw .notAnObject }
        guard object["kty"].isText("RSA") else { throw .notRSA }
        guard object["use"] == nil || object["use"].isText("sig") else { throw .notForSignatures }
        guard object["alg"] == nil || object["alg"].isText("RS256") else { throw .notForRS256 }
        guard object["key_ops"].map({ $0.array?.contains { Optional($0).isText("verify") } ?? false }) ?? true else {
            throw .notForVerifying
        }
        guard let keyID = object["kid"]?.text, !keyID.isEmpty else { throw .noKeyID }
        guard let modulus = object["n"]?.text.flatMap({ Base64URL.decode($0.utf8) }),
            let exponent = object["e"]?.text.flatMap({ Base64URL.decode($0.utf8) })
        else { throw .noNumbers }
        do throws(PublicKey.Fault) {
            key = try PublicKey(modulus: modulus, exponent: exponent)
        } catch {
            throw .unfit(error)
        }
        self.keyID = Array(keyID.utf8)
    }
}

extension JWK.Unusable {
    /// Why the key is skipped, for the log.
    var text: String {
        switch self {
        case .notAnObject: "it is not an object"
        case .notRSA: "its kty is not RSA"
        case .notForSignatures: "its use is not sig"
        case .notForRS256: "its alg is not RS256"
        case .notForVerifying: "its key_ops hold no verify"
        case .noKeyID: "it has no kid"
        case .noNumbers: "its n or e is not base64url"
        case .unfit(let fault): fault.text
        }
    }
}
