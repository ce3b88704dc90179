internal import JSON

/// The signing keys in force.
enum SigningKeys: Equatable, Sendable {
    /// One key, whatever a token's `kid` says.
    case one(PublicKey)
    /// Keys by their `kid`, as bytes: `String`'s own `==` takes different spellings for equal.
    case named([[UInt8]: PublicKey])

    var count: Int {
        switch self {
        case .one: 1
        case .named(let keys): keys.count
        }
    }
}

/// Why a text is not a usable set of keys.
enum JWKSError: Error, Equatable {
    case notJSON
    case noKeysArray
    case duplicateKeyID
    case noUsableKey

    /// What is wrong, for the log.
    var text: String {
        switch self {
        case .notJSON: "it is not JSON with distinct names"
        case .noKeysArray: "it has no array \"keys\""
        case .duplicateKeyID: "two of its signing keys have the same kid"
        case .noUsableKey: "it has no RSA key for RS256 signatures"
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
    /// Two signing keys of one `kid` make the whole document unusable: it does not say which of them a token
    /// means, and picking one would refuse half of the tokens without a word.
    init(_ bytes: [UInt8]) throws(JWKSError) {
        guard let document = try? JSONValue.parse(bytes), !document.repeatsAName else { throw .notJSON }
        guard let elements = document.object?["keys"]?.array else { throw .noKeysArray }
        var keys: [[UInt8]: PublicKey] = [:]
        var skipped: [String] = []
        for (index, element) in elements.enumerated() {
            do throws(JWK.Unusable) {
                let jwk = try JWK(element)
                guard keys.updateValue(jwk.key, forKey: jwk.keyID) == nil else { throw .sameKeyID }
            } catch {
                guard error != .sameKeyID else { throw .duplicateKeyID }
                skipped.append("key \(index + 1): \(error.text)")
            }
        }
        guard !keys.isEmpty else { throw .noUsableKey }
        self.init(keys: .named(keys), skipped: skipped)
    }
}

/// One key of a set that is meant for RS256 signatures and fit for them.
private struct JWK {
    enum Unusable: Error, Equatable {
        case notAnObject, notRSA, notForSignatures, notForRS256, notForVerifying, noKeyID, noNumbers, sameKeyID
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
        case .sameKeyID: "another key has the same kid"
        case .unfit(let fault): fault.text
        }
    }
}
