import COpenSSL
import Testing

@testable import JWT

struct Hostile: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let reason: TokenError.Rule
    let token: @Sendable () -> String

    init(_ name: String, _ reason: TokenError.Rule, _ token: @escaping @Sendable () -> String) {
        testDescription = name
        self.reason = reason
        self.token = token
    }

    static func claims(_ name: String, _ reason: TokenError.Rule, _ claims: [String: String?]) -> Hostile {
        Hostile(name, reason) { Token(claims).text }
    }

    static func header(_ name: String, _ reason: TokenError.Rule, _ header: [String: String?]) -> Hostile {
        Hostile(name, reason) { Token(header: header).text }
    }

    static func rawHeader(_ name: String, _ reason: TokenError.Rule, _ header: String) -> Hostile {
        Hostile(name, reason) { Token(rawHeader: header).text }
    }

    static func rawPayload(_ name: String, _ reason: TokenError.Rule, _ payload: String) -> Hostile {
        Hostile(name, reason) { Token(rawPayload: payload).text }
    }
}

private func segments(_ change: (inout [String]) -> Void) -> String {
    var segments = Token().text.split(separator: ".").map(String.init)
    change(&segments)
    return segments.joined(separator: ".")
}

/// The same bytes in another spelling, with an unused bit set.
private func withTrailingBit(_ segment: String) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    guard segment.count % 4 != 0, let last = segment.last, let index = alphabet.firstIndex(of: last) else {
        return segment + "!"
    }
    return segment.dropLast() + String(alphabet[index + 1])
}

private let shapes: [Hostile] = [
    Hostile("empty text", .notThreeSegments) { "" },
    Hostile("two dots alone", .notThreeSegments) { ".." },
    Hostile("one segment", .notThreeSegments) { "abcd" },
    Hostile("two segments", .notThreeSegments) { segments { $0.removeLast() } },
    Hostile("four segments", .notThreeSegments) { Token().text + ".AAAA" },
    Hostile("a dot at the end", .notThreeSegments) { Token().text + "." },
    Hostile("a dot at the beginning", .notThreeSegments) { "." + Token().text },
    Hostile("five segments, as an encrypted token has", .notThreeSegments) { "a.a.a.a.a" },
    Hostile("empty header", .notThreeSegments) { segments { $0[0] = "" } },
    Hostile("empty payload", .notThreeSegments) { segments { $0[1] = "" } },
    Hostile("empty signature", .notThreeSegments) { segments { $0[2] = "" } },
    Hostile("a megabyte", .tooLong) { String(repeating: "A", count: 1 << 20) },
    Hostile("8193 bytes", .tooLong) { String(repeating: "A", count: 8193) },
    Hostile("8192 bytes without a dot", .notThreeSegments) { String(repeating: "A", count: 8192) },
    Hostile("padded signature", .notBase64URL) { Token().text + "==" },
    Hostile("padded header", .notBase64URL) { segments { $0[0] += "=" } },
    Hostile("junk after the signature", .notBase64URL) { Token().text + "!" },
    Hostile("junk inside the signature", .notBase64URL) { segments { $0[2].insert("*", at: $0[2].startIndex) } },
    Hostile("line break inside", .notBase64URL) { segments { $0[1] += "\n" } },
    Hostile("space before", .notBase64URL) { " " + Token().text },
    Hostile("space after", .notBase64URL) { Token().text + " " },
    Hostile("NUL after", .notBase64URL) { Token().text + "\0" },
    Hostile("letter outside ASCII", .notBase64URL) { segments { $0[2] += "é" } },
    Hostile("plus and slash of plain base64", .notBase64URL) { segments { $0[2] = "+/" + $0[2].dropFirst(2) } },
    Hostile("unused bits in the signature", .notBase64URL) { segments { $0[2] = withTrailingBit($0[2]) } },
    Hostile("one character too many for base64", .notBase64URL) { segments { $0[1] = "AAAAA" } },
    Hostile("two signatures in a row", .signature) { segments { $0[2] += $0[2].prefix(2) + "AA" } },
]

private let headers: [Hostile] = [
    Hostile("HS256 keyed with the public PEM", .algorithm) {
        Token(header: ["alg": "\"HS256\""]).signed { hmac($0, secret: SigningKey.first.publicPEM) }
    },
    Hostile("RS256 in the header, HMAC as the signature", .signature) {
        Token().signed { hmac($0, secret: SigningKey.first.publicPEM) }
    },
    Hostile("HS512 keyed with the public PEM", .algorithm) {
        Token(header: ["alg": "\"HS512\""]).signed {
            hmac($0, secret: SigningKey.first.publicPEM, digest: EVP_sha512())
        }
    },
    Hostile("RS512, well signed", .algorithm) {
        Token(header: ["alg": "\"RS512\""]).signed { SigningKey.first.sign($0, digest: EVP_sha512()) }
    },
    Hostile("RS256 signed as RS512", .signature) {
        Token().signed { SigningKey.first.sign($0, digest: EVP_sha512()) }
    },
    .header("alg none", .algorithm, ["alg": "\"none\""]),
    .header("alg None", .algorithm, ["alg": "\"None\""]),
    .header("alg in small letters", .algorithm, ["alg": "\"rs256\""]),
    .header("alg with a space", .algorithm, ["alg": "\"RS256 \""]),
    .header("alg with NUL", .algorithm, ["alg": "\"RS256\\u0000\""]),
    .header("no alg", .algorithm, ["alg": nil]),
    .header("alg null", .algorithm, ["alg": "null"]),
    .header("alg a number", .algorithm, ["alg": "256"]),
    .header("alg an array", .algorithm, ["alg": "[\"RS256\"]"]),
    .header("ES256", .algorithm, ["alg": "\"ES256\""]),
    .header("PS256", .algorithm, ["alg": "\"PS256\""]),
    .header("crit", .critical, ["crit": "[\"exp\"]"]),
    .header("crit empty", .critical, ["crit": "[]"]),
    .header("crit null", .critical, ["crit": "null"]),
    .header("kid a number", .keyIDNotAString, ["kid": "7"]),
    .header("kid null", .keyIDNotAString, ["kid": "null"]),
    .header("kid with a lone surrogate", .keyIDNotAString, ["kid": "\"\\ud800\""]),
    .header("encrypted, by its typ", .type, ["typ": "\"JWE\""]),
    .header("an access token, by its typ", .type, ["typ": "\"at+jwt\""]),
    .header("typ a number", .type, ["typ": "1"]),
    .header("typ with NUL", .type, ["typ": "\"JWT\\u0000\""]),
    .rawHeader("alg twice", .headerNotAnObject, "{\"alg\":\"none\",\"alg\":\"RS256\"}"),
    .rawHeader("alg twice, once escaped", .headerNotAnObject, "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}"),
    .rawHeader("header an array", .headerNotAnObject, "[\"RS256\"]"),
    .rawHeader("header a string", .headerNotAnObject, "\"RS256\""),
    .rawHeader("header with something after it", .headerNotAnObject, "{\"alg\":\"RS256\"} x"),
    .rawHeader("header with NUL after it", .headerNotAnObject, "{\"alg\":\"RS256\"}\0"),
    .rawHeader("header with a trailing comma", .headerNotAnObject, "{\"alg\":\"RS256\",}"),
    .rawHeader("header with a byte order mark", .headerNotAnObject, "\u{FEFF}{\"alg\":\"RS256\"}"),
    .rawHeader("header that nests too deep", .headerNotAnObject, String(repeating: "[", count: 4000)),
    Hostile("header that is not UTF-8", .headerNotAnObject) { segments { $0[0] = base64URL([0x7B, 0xFF, 0x7D]) } },
]

private let payloads: [Hostile] = [
    .rawPayload("payload an array", .payloadNotAnObject, "[]"),
    .rawPayload("payload a number", .payloadNotAnObject, "7"),
    .rawPayload("payload not JSON", .payloadNotAnObject, "exp"),
    .rawPayload("sub twice", .payloadNotAnObject, "{\"sub\":\"a\",\"sub\":\"b\",\"exp\":1750000060}"),
    .claims("organization id twice", .payloadNotAnObject, ["v": "2", "o": "{\"id\":\"org_1\",\"id\":\"org_2\"}"]),
    .rawPayload("payload that nests too deep", .payloadNotAnObject, String(repeating: "[", count: 3000)),
    .claims("no exp", .expirationMissing, ["exp": nil]),
    .claims("exp null", .expirationMissing, ["exp": "null"]),
    .claims("exp a string", .expirationMissing, ["exp": "\"1750000060\""]),
    .claims("exp a Boolean", .expirationMissing, ["exp": "true"]),
    .claims("exp infinite", .expirationMissing, ["exp": "1e400"]),
    .claims("nbf past 64 bits", .notYetValid, ["nbf": "99999999999999999999"]),
    .claims("exp 5 seconds ago", .expired, ["exp": "1749999995"]),
    .claims("exp a fraction above 5 seconds ago", .expired, ["exp": "1749999994.999"]),
    .claims("exp negative", .expired, ["exp": "-1"]),
    .claims("exp zero", .expired, ["exp": "0"]),
    .claims("exp past 64 bits", .lifetime, ["exp": "99999999999999999999"]),
    .claims("exp in a hundred years", .lifetime, ["exp": "4903600000"]),
    .claims("an audience", .audience, ["aud": "\"https://elsewhere.example.test\""]),
    .claims("nbf 5.5 seconds ahead", .notYetValid, ["nbf": "1750000005.5"]),
    .claims("nbf a string", .claimMalformed, ["nbf": "\"0\""]),
    .claims("iat 6 seconds ahead", .issuedInTheFuture, ["iat": "1750000006"]),
    .claims("iat a Boolean", .claimMalformed, ["iat": "false"]),
    .claims("iss of another issuer", .issuer, ["iss": "\"https://evil.example.test\""]),
    .claims("iss with a slash", .issuer, ["iss": "\"\(issuer)/\""]),
    .claims("iss in capitals", .issuer, ["iss": "\"HTTPS://CLERK.EXAMPLE.TEST\""]),
    .claims("no iss", .issuer, ["iss": nil]),
    .claims("iss null", .issuer, ["iss": "null"]),
    .claims("iss an array", .issuer, ["iss": "[\"\(issuer)\"]"]),
    .claims("azp of another party", .authorizedParty, ["azp": "\"https://evil.example.test\""]),
    .claims("no azp", .authorizedParty, ["azp": nil]),
    .claims("azp null", .authorizedParty, ["azp": "null"]),
    .claims("azp a number", .claimMalformed, ["azp": "1"]),
    .claims("azp an array", .claimMalformed, ["azp": "[\"\(party)\"]"]),
    .claims("sts pending", .sessionPending, ["sts": "\"pending\""]),
    .claims("sts a number", .claimMalformed, ["sts": "1"]),
    .claims("no sub", .subjectMissing, ["sub": nil]),
    .claims("sub empty", .subjectMissing, ["sub": "\"\""]),
    .claims("sub null", .subjectMissing, ["sub": "null"]),
    .claims("sub a number", .subjectMissing, ["sub": "7"]),
    .claims("sub with a lone surrogate", .claimMalformed, ["sub": "\"user\\udc00\""]),
    .claims("sub with NUL", .claimMalformed, ["sub": "\"user\\u0000\""]),
    .claims("organization with a lone surrogate", .claimMalformed, ["org_id": "\"org\\ud800\""]),
    Hostile("signed with another key", .signature) { Token(key: .second).text },
    Hostile("payload changed after signing", .signature) {
        segments { $0[1] = base64URL(Token(["sub": "\"user_2\""]).payload.utf8) }
    },
    Hostile("header changed after signing", .signature) {
        segments { $0[0] = base64URL("{\"alg\":\"RS256\"}".utf8) }
    },
    Hostile("another key's, with a number past 64 bits", .signature) { Token(["x": "1e400"], key: .second).text },
    Hostile("changed after signing, with a number past 64 bits", .signature) {
        let token = Token(["x": "18446744073709551616"])
        let other = Token(["x": "18446744073709551616", "sub": "\"user_2\""])
        return "\(other.signingInput).\(token.text.split(separator: ".")[2])"
    },
    Hostile("HMAC with the public PEM, with a number past 64 bits", .signature) {
        Token(["x": "1e400"]).signed { hmac($0, secret: SigningKey.first.publicPEM) }
    },
    Hostile("signed as RS512, with a number past 64 bits", .signature) {
        Token(["x": "1e400"]).signed { SigningKey.first.sign($0, digest: EVP_sha512()) }
    },
    Hostile("signature of zeros", .signature) { Token().signed { _ in [UInt8](repeating: 0, count: 256) } },
    Hostile("signature of one byte", .signature) { Token().signed { _ in [1] } },
]

@Suite struct HostileTokenTests {
    @Test("A malformed text is refused before any part is parsed", arguments: shapes)
    func shape(_ hostile: Hostile) throws {
        #expect(try Verifier.pem().reason(hostile.token()) == .invalid(hostile.reason))
    }

    @Test("A header with another algorithm or type is refused", arguments: headers)
    func header(_ hostile: Hostile) throws {
        #expect(try Verifier.pem().reason(hostile.token()) == .invalid(hostile.reason))
    }

    @Test("A payload that violates a rule is refused, even with a valid signature", arguments: payloads)
    func payload(_ hostile: Hostile) throws {
        #expect(try Verifier.pem().reason(hostile.token()) == .invalid(hostile.reason))
    }

    @Test(
        "An unused claim may have any JSON value, even one that jansson inside libjwt rejects",
        arguments: [
            "18446744073709551616", "-9223372036854775809", "1e400", "-1e400", "1e-400", "1E+9999999999", "\"\\u0000\"",
            "\"\\ud800\"", "\"\\udc00\\ud800\"", "{\"\\u0000\":1}", "[[[[1e999]]]]",
            String(repeating: "9", count: 4000),
        ])
    func unread(_ value: String) throws {
        #expect(try Verifier.pem().reason(Token(["unread": value]).text) == nil)
        #expect(try Verifier.pem().reason(Token(header: ["unread": value.count < 100 ? value : "1e400"]).text) == nil)
        let claims = try Verifier.pem().verify(Token(["unread": value, "exp": "1750086405"]).text, now: now)
        #expect(claims.subject == "user_1" && claims.expiresAt == 1_750_086_405)
    }

    @Test("The type may be absent or in lower case", arguments: [nil, "\"JWT\"", "\"jwt\""])
    func type(_ type: String?) throws {
        #expect(try Verifier.pem().reason(Token(header: ["typ": type]).text) == nil)
    }

    @Test("A refused token is never cached")
    func nothingCached() throws {
        let verifier = try Verifier.pem()
        for hostile in shapes + headers + payloads { _ = verifier.reason(hostile.token()) }
        #expect(verifier.cacheStatistics.tokens == 0)
    }

    @Test("The text of a reason contains no part of the token", arguments: TokenError.Rule.allCases)
    func text(_ reason: TokenError.Rule) {
        #expect(reason.text.hasSuffix(".") && !reason.text.contains("eyJ"))
    }

    @Test("The token from which the hostile ones are made is accepted")
    func baseline() throws {
        #expect(try Verifier.pem().reason(Token().text) == nil)
    }
}
