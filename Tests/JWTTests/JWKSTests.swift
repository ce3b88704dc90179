import Testing

@testable import JWT

struct JWKCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let changes: [String: String?]

    init(_ name: String, _ changes: [String: String?]) {
        testDescription = name
        self.changes = changes
    }
}

/// An odd number of this many bits.
private func number(bits: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xFF, count: (bits + 7) / 8)
    bytes[0] = UInt8(truncatingIfNeeded: 0xFF >> (bytes.count * 8 - bits))
    return bytes
}

@Suite struct JWKSTests {
    private let good = SigningKey.first.jwk("first")

    private func parse(_ text: String) throws -> [[UInt8]: [PublicKey]] {
        guard case .named(let keys) = try JWKS(Array(text.utf8)).keys else { return [:] }
        return keys
    }

    @Test("A key becomes the PEM that OpenSSL writes")
    func pem() throws {
        let keys = try parse(jwks(good, SigningKey.third.jwk("third")))
        #expect(keys[Array("first".utf8)]?.first?.pem == Array(SigningKey.first.publicPEM.utf8))
        #expect(keys[Array("third".utf8)]?.first?.pem == Array(SigningKey.third.publicPEM.utf8))
        #expect(keys.count == 2)
    }

    @Test(
        "The optional members may be absent, and unknown members may be present",
        arguments: [
            JWKCase("no use", ["use": nil]), JWKCase("no alg", ["alg": nil]),
            JWKCase("key_ops with verify", ["key_ops": "[\"verify\"]"]),
            JWKCase("key_ops with more", ["key_ops": "[\"sign\",\"verify\"]"]),
            JWKCase("unknown members", ["x5t": "\"abc\"", "x5c": "[\"MII\"]"]),
            JWKCase("modulus with leading zeros", ["n": "\"AAAA\(base64URL(number(bits: 2048)))\""]),
            JWKCase("exponent 3", ["e": "\"Aw\""]),
            JWKCase("largest modulus", ["n": "\"\(base64URL(number(bits: 8192)))\""]),
            JWKCase("largest exponent", ["e": "\"_____w\""]),
        ])
    func accepted(_ example: JWKCase) throws {
        #expect(try parse(jwks(SigningKey.second.jwk("second", example.changes))).count == 1)
    }

    @Test(
        "Keys for other purposes and unsuitable keys are skipped, and the others are used",
        arguments: [
            JWKCase("EC", ["kty": "\"EC\""]), JWKCase("kty in small letters", ["kty": "\"rsa\""]),
            JWKCase("no kty", ["kty": nil]), JWKCase("for encryption", ["use": "\"enc\""]),
            JWKCase("use null", ["use": "null"]), JWKCase("RS512", ["alg": "\"RS512\""]),
            JWKCase("HS256", ["alg": "\"HS256\""]), JWKCase("alg a number", ["alg": "256"]),
            JWKCase("key_ops without verify", ["key_ops": "[\"sign\"]"]),
            JWKCase("key_ops empty", ["key_ops": "[]"]), JWKCase("key_ops a string", ["key_ops": "\"verify\""]),
            JWKCase("no kid", ["kid": nil]), JWKCase("kid empty", ["kid": "\"\""]),
            JWKCase("kid a number", ["kid": "7"]),
            JWKCase("no n", ["n": nil]), JWKCase("no e", ["e": nil]), JWKCase("n padded", ["n": "\"AQAB==\""]),
            JWKCase("n not base64url", ["n": "\"a+b/\""]), JWKCase("n a number", ["n": "65537"]),
            JWKCase("n empty", ["n": "\"\""]), JWKCase("1024 bits", ["n": "\"\(SigningKey.short.modulus)\""]),
            JWKCase("2047 bits", ["n": "\"\(base64URL(number(bits: 2047)))\""]),
            JWKCase("8193 bits", ["n": "\"\(base64URL(number(bits: 8193)))\""]),
            JWKCase("n even", ["n": "\"\(base64URL(number(bits: 2048).dropLast() + [0xFE]))\""]),
            JWKCase("e 1", ["e": "\"AQ\""]), JWKCase("e 0", ["e": "\"AA\""]), JWKCase("e even", ["e": "\"AQAA\""]),
            JWKCase("e empty", ["e": "\"\""]), JWKCase("e of 33 bits", ["e": "\"Af____8\""]),
            JWKCase("e as long as n", ["e": "\"\(SigningKey.second.modulus)\""]),
        ])
    func skipped(_ example: JWKCase) throws {
        let document = try JWKS(Array(jwks(SigningKey.second.jwk("second", example.changes), good).utf8))
        #expect(document.keys.count == 1)
        #expect(document.skipped.count == 1)
        // If it is the only key of the set, no key is in force.
        #expect(try parse(jwks(SigningKey.second.jwk("second", example.changes))) == [:])
    }

    @Test(
        "A document that is not a key set is refused",
        arguments: [
            ("", KeyError.notJSON), ("{", .notJSON), ("<html>", .notJSON), ("{\"keys\":[],\"keys\":[]}", .notJSON),
            ("[]", .noKeysArray), ("{}", .noKeysArray), ("{\"keys\":{}}", .noKeysArray), ("null", .noKeysArray),
            ("{\"keys\":null}", .noKeysArray), ("{\"keys\":[1,null]}", .notKeys), ("{\"keys\":[{},null]}", .notKeys),
        ])
    func refused(_ text: String, _ error: KeyError) {
        #expect(throws: error) { try parse(text) }
    }

    @Test("An empty set is valid", arguments: ["{\"keys\":[]}", "{\"keys\":[],\"other\":1}", "{\"keys\":[{}]}"])
    func empty(_ text: String) throws { #expect(try parse(text) == [:]) }

    @Test("A repeated key counts once, and an encryption key with the same kid is skipped")
    func duplicates() throws {
        #expect(try parse(jwks(good, good)) == parse(jwks(good)))
        #expect(try parse(jwks(good, SigningKey.first.jwk("first", ["alg": nil]))) == parse(jwks(good)))
        #expect(try parse(jwks(good, SigningKey.first.jwk("other"))).count == 2)
        #expect(try parse(jwks(good, SigningKey.second.jwk("first", ["use": "\"enc\""]))).count == 1)
    }

    @Test("Each of several signing keys with one kid may verify, and no other key may")
    func sharedKeyID() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            jwks(good, SigningKey.second.jwk("first"), SigningKey.third.jwk("third")), to: "jwks")
        let verifier = Verifier(keys: try .quiet(.jwksFile(path)), policy: Policy(issuer: issuer))
        #expect(verifier.reason(Token().text) == nil)
        #expect(verifier.reason(Token(key: .second).text) == nil)
        #expect(verifier.reason(Token(key: .third).text) == .invalid(.signature))
    }

    @Test("A byte order mark before the document is ignored")
    func byteOrderMark() throws {
        #expect(try parse("\u{FEFF}" + jwks(good)) == parse(jwks(good)))
        #expect(throws: KeyError.notJSON) { try parse("\u{FEFF}\u{FEFF}" + jwks(good)) }
    }

    @Test("A key with a repeated member is refused")
    func repeatedMember() {
        #expect(throws: KeyError.notJSON) { try parse(jwks("{\"kid\":\"a\"," + good.dropFirst())) }
    }

    @Test("A kid is compared by its bytes")
    func keyIDBytes() throws {
        #expect(try parse(jwks(SigningKey.first.jwk("caf\u{E9}"), SigningKey.second.jwk("cafe\u{301}"))).count == 2)
    }
}
