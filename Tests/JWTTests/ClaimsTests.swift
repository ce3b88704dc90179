import JSON
import Testing

@testable import JWT

struct OrganizationCase: CustomTestStringConvertible, Sendable {
    let claims: [String: String?]
    let organization: String?
    var testDescription: String { json([:], claims) + " → " + (organization ?? "none") }

    init(_ claims: [String: String?], _ organization: String?) {
        self.claims = claims
        self.organization = organization
    }
}

@Suite struct ClaimsTests {
    private let verifier: Verifier

    init() throws { verifier = try .pem() }

    @Test("All claims that the server uses are read")
    func all() throws {
        let claims = try verifier.verify(
            Token(["act": "{\"sub\":\"user_9\",\"iss\":\"x\"}", "exp": "1750000060.25"]).text, now: now)
        #expect(
            claims
                == Claims(
                    subject: "user_1", organization: "org_1", sessionID: "sess_1", organizationRole: "admin",
                    actor: "user_9", expiresAt: 1_750_000_060.25, notBefore: 1_749_999_990, issuedAt: 1_749_999_990))
    }

    @Test(
        "The active organization is o.id if v is the number 2, and org_id otherwise",
        arguments: [
            OrganizationCase(["v": "2", "o": "{\"id\":\"org_2\"}"], "org_2"),
            OrganizationCase(["v": "2.0", "o": "{\"id\":\"org_2\"}"], "org_2"),
            OrganizationCase(["v": "2e0", "o": "{\"id\":\"org_2\"}"], "org_2"),
            OrganizationCase(["v": "20E-1", "o": "{\"id\":\"org_2\"}"], "org_2"),
            OrganizationCase(["v": "\"2\"", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "1", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "3", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "2.5", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "true", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "[2]", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "null", "o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["o": "{\"id\":\"org_2\"}"], "org_1"),
            OrganizationCase(["v": "2"], nil),
            OrganizationCase(["v": "2", "o": "null"], nil),
            OrganizationCase(["v": "2", "o": "{}"], nil),
            OrganizationCase(["v": "2", "o": "\"org_2\""], nil),
            OrganizationCase(["v": "2", "o": "[{\"id\":\"org_2\"}]"], nil),
            OrganizationCase(["v": "2", "o": "{\"id\":\"\"}"], nil),
            OrganizationCase(["v": "2", "o": "{\"id\":null}"], nil),
            OrganizationCase(["v": "2", "o": "{\"id\":7}"], nil),
            OrganizationCase(["v": "2", "o": "{\"ID\":\"org_2\"}"], nil),
            OrganizationCase(["org_id": nil], nil),
            OrganizationCase(["org_id": "null"], nil),
            OrganizationCase(["org_id": "\"\""], nil),
            OrganizationCase(["org_id": "{\"id\":\"org_1\"}"], nil),
            OrganizationCase(["org_id": "7"], nil),
        ])
    func organization(_ example: OrganizationCase) throws {
        #expect(try verifier.verify(Token(example.claims).text, now: now).organization == example.organization)
    }

    @Test("The role is read from the same version of the claims as the organization")
    func role() throws {
        let second = try verifier.verify(
            Token(["v": "2", "o": "{\"id\":\"org_2\",\"rol\":\"member\"}"]).text, now: now)
        #expect(second.organizationRole == "member")
        #expect(try verifier.verify(Token().text, now: now).organizationRole == "admin")
    }

    @Test(
        "Optional claims may be null or absent, and those that decide nothing may have another type",
        arguments: [
            ["nbf": nil, "iat": nil], ["nbf": "null", "iat": "null"], ["sid": nil], ["sid": "null"], ["sid": "7"],
            ["act": "null"], ["act": "[]"], ["sts": "null"], ["sts": "\"active\""], ["sts": "\"\""],
            ["unknown": "{\"deep\":[1,2,{\"a\":null}]}"], ["aud": "null"], ["azp": "\"\(party)\""],
        ] as [[String: String?]])
    func optional(_ claims: [String: String?]) {
        #expect(verifier.reason(Token(claims).text) == nil)
    }

    @Test("Each time claim has exactly 5 seconds of leeway")
    func leeway() throws {
        let token = Token(["exp": "1750000060", "nbf": "1750000000", "iat": "1750000001"]).text
        #expect(verifier.reason(token, now: 1_750_000_064.999) == nil)
        #expect(verifier.reason(token, now: 1_750_000_065) == .invalid(.expired))
        #expect(verifier.reason(token, now: 1_749_999_996) == nil)
        #expect(verifier.reason(token, now: 1_749_999_995.5) == .invalid(.issuedInTheFuture))
        #expect(verifier.reason(token, now: 1_749_999_994.5) == .invalid(.notYetValid))
        #expect(verifier.reason(Token(["nbf": "1750000005"]).text) == nil)
        #expect(verifier.reason(Token(["iat": "1750000005"]).text) == nil)
        #expect(verifier.reason(Token(["exp": "1749999995.001"]).text) == nil)
        #expect(verifier.reason(token, now: .nan) == .invalid(.expired))
    }

    @Test(
        "exp is limited by the wall clock with 5 seconds of leeway, independently of the clock for tokens",
        arguments: [60.0, 86_400, nil] as [Double?])
    func lifetime(_ longest: Double?) throws {
        let policy = Policy(issuer: issuer, longestLifetime: longest)
        let verifier = Verifier(keys: try .quiet(.pem(SigningKey.first.publicPEM)), policy: policy)
        func reason(_ ahead: Double, wall: Double = now) -> TokenError? {
            do throws(TokenError) {
                _ = try verifier.verify(Token(["exp": "\(now + ahead)"]).text, at: TokenTime(now, wall: wall))
                return nil
            } catch {
                return error
            }
        }
        let most = longest ?? 1e12
        #expect(reason(most + 5) == nil)
        #expect(reason(most + 5.5) == (longest == nil ? nil : .invalid(.lifetime)))
        #expect(reason(1e300) == (longest == nil ? nil : .invalid(.lifetime)))
        // The limit also applies to a cached token after the wall clock was set back.
        #expect(reason(most + 5) == nil)
        #expect(reason(most + 5, wall: now - 10) == (longest == nil ? nil : .invalid(.lifetime)))
        #expect(reason(most - 10, wall: now - 10) == nil)
    }

    @Test("One value of aud must be allowed, and without allowed values every token with aud is refused")
    func audience() throws {
        let keys = try KeySet.quiet(.pem(SigningKey.first.publicPEM))
        let ours = Verifier(keys: keys, policy: Policy(issuer: issuer, audiences: ["us", "é"]))
        let unset = Verifier(keys: keys, policy: Policy(issuer: issuer))
        for aud in ["\"us\"", "[\"us\"]", "[\"them\",\"us\"]", "\"\\u0075s\"", "\"é\""] {
            #expect(ours.reason(Token(["aud": aud]).text) == nil, "\(aud)")
            #expect(unset.reason(Token(["aud": aud]).text) == .invalid(.audience), "\(aud)")
        }
        for aud in ["\"\"", "[]", "\"them\"", "\"US\"", "\"us \"", "\"us,é\"", "[\"them\"]", "\"e\\u0301\""] {
            #expect(ours.reason(Token(["aud": aud]).text) == .invalid(.audience), "\(aud)")
        }
        for aud in [
            "1", "true", "{}", "{\"us\":1}", "[1]", "[\"us\",1]", "[\"us\",null]", "[[\"us\"]]", "\"us\\u0000\"",
        ] {
            #expect(ours.reason(Token(["aud": aud]).text) == .invalid(.claimMalformed), "\(aud)")
        }
        for claims in [[:], ["aud": "null"]] {
            #expect(ours.reason(Token(claims).text) == nil && unset.reason(Token(claims).text) == nil)
        }
    }

    @Test("The texts of a token may have the allowed number of characters and no more")
    func lengths() {
        func claims(_ name: String, _ text: String) -> [String: String?] {
            switch name {
            case "act": ["act": "{\"sub\":\"\(text)\"}"]
            case "o.id": ["v": "2", "o": "{\"id\":\"\(text)\"}"]
            case "o.rol": ["v": "2", "o": "{\"id\":\"org_1\",\"rol\":\"\(text)\"}"]
            default: [name: "\"\(text)\""]
            }
        }
        for (name, most) in [
            ("sub", 255), ("sid", 255), ("org_role", 255), ("act", 255), ("o.rol", 255), ("org_id", 200), ("o.id", 200),
        ] {
            for character in ["x", "é", "\u{1F600}", "\\u0301"] {
                let longest = String(repeating: character, count: most)
                #expect(verifier.reason(Token(claims(name, longest)).text) == nil, "\(name)")
                #expect(verifier.reason(Token(claims(name, longest + "x")).text) == .invalid(.claimTooLong), "\(name)")
            }
        }
        // The server does not use this claim of version 2.
        #expect(verifier.reason(Token(["v": "2", "org_id": "\"\(String(repeating: "x", count: 300))\""]).text) == nil)
    }

    @Test("Without configured parties, azp may be any string or absent")
    func anyParty() throws {
        let verifier = try Verifier.pem(parties: nil)
        #expect(verifier.reason(Token(["azp": nil]).text) == nil)
        #expect(verifier.reason(Token(["azp": "\"https://other.example.test\""]).text) == nil)
        #expect(verifier.reason(Token(["azp": "7"]).text) == .invalid(.claimMalformed))
        #expect(try Verifier.pem(parties: []).reason(Token().text) == .invalid(.authorizedParty))
        #expect(try Verifier.pem(parties: ["https://x.test", party]).reason(Token().text) == nil)
    }

    @Test("Composed and decomposed letters are different texts")
    func bytes() throws {
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        #expect(composed == decomposed)
        let keys = try KeySet.quiet(.pem(SigningKey.first.publicPEM))
        let issuers = Verifier(keys: keys, policy: Policy(issuer: composed))
        #expect(issuers.reason(Token(["iss": "\"\(composed)\""]).text) == nil)
        #expect(issuers.reason(Token(["iss": "\"\(decomposed)\""]).text) == .invalid(.issuer))
        let parties = Verifier(keys: keys, policy: Policy(issuer: issuer, authorizedParties: [composed]))
        #expect(parties.reason(Token(["azp": "\"\(decomposed)\""]).text) == .invalid(.authorizedParty))
        let claims = try verifier.verify(Token(["org_id": "\"\(decomposed)\""]).text, now: now)
        #expect(claims.isActive(in: decomposed) && !claims.isActive(in: composed))
        #expect(Claims(subject: composed, expiresAt: 1) != Claims(subject: decomposed, expiresAt: 1))
    }

    @Test("With a PEM, a token may have any kid or none")
    func anyKeyID() {
        #expect(verifier.reason(Token(header: ["kid": nil]).text) == nil)
        #expect(verifier.reason(Token(header: ["kid": "\"whatever\""]).text) == nil)
        #expect(verifier.reason(Token(header: ["typ": nil]).text) == nil)
    }

    @Test("The longest token that fits into 8192 bytes is accepted, and a longer one is refused")
    func longest() {
        func token(padding: Int) -> String {
            var token = Token()
            token.payload = "{\"pad\":\"" + String(repeating: "x", count: padding) + "\"," + token.payload.dropFirst()
            return token.text
        }
        var padding = 5500
        while token(padding: padding + 1).utf8.count <= 8192 { padding += 1 }
        #expect(token(padding: padding).utf8.count > 8190)
        #expect(verifier.reason(token(padding: padding)) == nil)
        #expect(verifier.reason(token(padding: padding + 1)) == .invalid(.tooLong))
    }

    @Test(
        "A used claim with a lone surrogate or NUL is refused by the policy itself",
        arguments: ["sub", "org_id", "sid", "org_role", "iss", "azp", "sts"], ["\\ud800", "\\udc00x", "a\\u0000"])
    func notText(_ name: String, _ text: String) throws {
        let payload = Token([name: "\"\(text)\""]).payload
        let object = try #require(try JSONValue.parse(Array(payload.utf8)).object)
        #expect(throws: TokenError.invalid(.claimMalformed)) {
            try Policy(issuer: issuer, authorizedParties: [party]).claims(of: object, at: TokenTime(now))
        }
    }

    @Test(
        "A nested claim with a lone surrogate or NUL is refused by the policy itself",
        arguments: ["{\"id\":\"\\ud800\"}", "{\"id\":\"org_1\",\"rol\":\"\\u0000\"}"])
    func nestedNotText(_ organization: String) throws {
        let object = try #require(try JSONValue.parse(Array(Token(["v": "2", "o": organization]).payload.utf8)).object)
        #expect(throws: TokenError.invalid(.claimMalformed)) { try Claims(object) }
    }
}
