import JSON
import Testing

@testable import API
@testable import Webhook

@Suite("The endpoints of settings")
struct SettingsTests {
    private static let digest = #"{"to": ["a@b.example"], "at": "07:30", "days": ["mon", "fri"]}"#

    private func settings(_ body: String, allowsPrivate: Bool = false, keys: SecretKeys? = nil) -> Call {
        var call = call(body: body)
        call.webhooks = WebhookSettings(keys: keys, allowsPrivate: allowsPrivate)
        return call
    }

    private func refused(_ body: String, allowsPrivate: Bool = false) -> [String]? {
        errors(of: PutSettings.self, settings(body, allowsPrivate: allowsPrivate))
    }

    private func keys() throws -> SecretKeys {
        try SecretKeys(lines: Array(Base64.encode([UInt8](repeating: 1, count: 32)).utf8))
    }

    @Test("The query tells whether the caller is an administrator")
    func reading() throws {
        var call = call()
        #expect(ReadSettings(call).query.parameters == ["org_2abc123", "false"])
        call.isAdministrator = true
        #expect(ReadSettings(call).query.parameters == ["org_2abc123", "true"])
    }

    @Test("A response has the sections that are set, and null for the others")
    func response() throws {
        let endpoint = ReadSettings(call())
        #expect(
            try endpoint.answer([[:]])
                == json(#"{"webhook": null, "digest": null, "sending": null, "updated_by": null, "updated_at": null}"#))
        let row = [
            "webhook_url": "https://a.example/\"", "last_status": "200", "last_test": #"{"at": "x"}"#,
            "digest": Self.digest, "sending": "{}", "updated_by": "user_1", "updated_at": "2025-06-30T09:00:00Z",
        ]
        #expect(
            try endpoint.answer([row])
                == json(
                    """
                    {"webhook": {"url": "https://a.example/\\"", "failing_since": null, "last_status": 200,
                      "last_test": {"at": "x"}}, "digest": \(Self.digest), "sending": {}, "updated_by": "user_1",
                      "updated_at": "2025-06-30T09:00:00Z"}
                    """))
    }

    @Test("A section that is given replaces, null empties, and the others are not named")
    func sections() throws {
        let whole = try PutSettings(
            settings(
                """
                {"webhook": {"url": "https://a.example/x", "failing_since": 5, "last_status": "x", "last_test": [],
                  "secret": "mine"}, "digest": \(Self.digest), "sending": {}, "updated_by": "user_9", "more": {"x": [1]}}
                """))
        #expect(
            whole.query.parameters.prefix(7) == [
                "org_2abc123", "webhook,digest,sending", "https://a.example/x",
                #"{"to":["a@b.example"],"at":"07:30","days":["mon","fri"]}"#,
                #"{"clinic_name":null,"booking_link":null,"postal_address":null,"country":null,"sms_from":null,"#
                    + #""reply_to":null,"staff_addresses":[],"hours":null,"global_holdout_share":null}"#, "user_1",
                "false",
            ])
        let emptied = try PutSettings(settings(#"{"digest": null, "webhook": null}"#, keys: try keys()))
        #expect(
            emptied.query.parameters.prefix(7) == ["org_2abc123", "webhook,digest", nil, nil, nil, "user_1", "true"])
        #expect(emptied.filter.map(\.value) == ["webhook,digest"])
        #expect(try PutSettings(settings("{}")).query.parameters[1] == "")
    }

    @Test("The values of sending are stored without blanks around addresses, and numbers as they are")
    func sending() throws {
        let endpoint = try PutSettings(
            settings(
                """
                {"sending": {"clinic_name": "Ōtaki \\"Moving\\"", "booking_link": "https://a.example/b#c",
                  "postal_address": "1 Street\\nSydney", "country": "AU", "sms_from": " +61400000000 ",
                  "reply_to": " a@b.example", "staff_addresses": ["+6140000 ", " x@y.example "], "hours": {"from": 8.0, "to": 21},
                  "global_holdout_share": 5E-2}}
                """))
        #expect(
            endpoint.query.parameters[4]
                == #"{"clinic_name":"Ōtaki \"Moving\"","booking_link":"https://a.example/b#c","postal_address":"1 Street\nSydney","#
                + #""country":"AU","sms_from":"+61400000000","reply_to":"a@b.example","staff_addresses":["+6140000"#
                + #"","x@y.example"],"hours":{"from":8,"to":21},"global_holdout_share":0.05}"#)
    }

    @Test(
        "A value that cannot be is refused with its field",
        arguments: [
            (#"{"webhook": 5}"#, ["webhook"]), (#"{"webhook": {}}"#, ["webhook.url"]),
            (#"{"webhook": {"url": null}}"#, ["webhook.url"]), (#"{"webhook": {"url": 5}}"#, ["webhook.url"]),
            (#"{"webhook": {"url": ""}}"#, ["webhook.url"]),
            (#"{"webhook": {"url": "http://a.example"}}"#, ["webhook.url"]),
            (#"{"webhook": {"url": "https://127.0.0.1"}}"#, ["webhook.url"]),
            (#"{"webhook": {"url": "https://a.example"}, "webhook": null}"#, ["webhook"]),
            (#"{"digest": {}}"#, ["digest.to", "digest.at", "digest.days"]), (#"{"digest": []}"#, ["digest"]),
            (#"{"digest": {"to": [], "at": "07:30", "days": ["mon"]}}"#, ["digest.to"]),
            (#"{"digest": {"to": "a@b.example", "at": "07:30", "days": ["mon"]}}"#, ["digest.to"]),
            (#"{"digest": {"to": ["a@b.example", "a"], "at": "07:30", "days": ["mon"]}}"#, ["digest.to"]),
            (#"{"digest": {"to": ["a@b.example", 5], "at": "07:30", "days": ["mon"]}}"#, ["digest.to"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "24:00", "days": ["mon"]}}"#, ["digest.at"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "7:30", "days": ["mon"]}}"#, ["digest.at"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "07:60", "days": ["mon"]}}"#, ["digest.at"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "07:30:00", "days": ["mon"]}}"#, ["digest.at"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "٠٧:30", "days": ["mon"]}}"#, ["digest.at"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "07:30", "days": []}}"#, ["digest.days"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "07:30", "days": ["mon", "mon"]}}"#, ["digest.days"]),
            (#"{"digest": {"to": ["a@b.example"], "at": "07:30", "days": ["Mon"]}}"#, ["digest.days"]),
            (#"{"sending": "x"}"#, ["sending"]), (#"{"sending": {"clinic_name": ""}}"#, ["sending.clinic_name"]),
            (#"{"sending": {"clinic_name": "a\nb"}}"#, ["sending.clinic_name"]),
            (#"{"sending": {"clinic_name": "a\u0000b"}}"#, ["sending.clinic_name"]),
            (#"{"sending": {"clinic_name": "a\ud800"}}"#, ["sending.clinic_name"]),
            (#"{"sending": {"postal_address": "a\rb"}}"#, ["sending.postal_address"]),
            (#"{"sending": {"booking_link": "a.example"}}"#, ["sending.booking_link"]),
            (#"{"sending": {"booking_link": "javascript:alert(1)"}}"#, ["sending.booking_link"]),
            (#"{"sending": {"booking_link": "https://u@a.example"}}"#, ["sending.booking_link"]),
            (#"{"sending": {"country": "au"}}"#, ["sending.country"]),
            (#"{"sending": {"country": "XX"}}"#, ["sending.country"]),
            (#"{"sending": {"country": "AUS"}}"#, ["sending.country"]),
            (#"{"sending": {"sms_from": "0400000000"}}"#, ["sending.sms_from"]),
            (#"{"sending": {"reply_to": "a"}}"#, ["sending.reply_to"]),
            (#"{"sending": {"staff_addresses": ["a@b.example", "x"]}}"#, ["sending.staff_addresses"]),
            (#"{"sending": {"staff_addresses": [null]}}"#, ["sending.staff_addresses"]),
            (#"{"sending": {"hours": {}}}"#, ["sending.hours.from"]),
            (#"{"sending": {"hours": {"from": 9}}}"#, ["sending.hours.to"]),
            (#"{"sending": {"hours": {"from": 9, "to": 9}}}"#, ["sending.hours.to"]),
            (#"{"sending": {"hours": {"from": 7, "to": 22}}}"#, ["sending.hours.from", "sending.hours.to"]),
            (#"{"sending": {"hours": {"from": 9.5, "to": 20}}}"#, ["sending.hours.from"]),
            (#"{"sending": {"hours": [9, 20]}}"#, ["sending.hours"]),
            (#"{"sending": {"global_holdout_share": 0.21}}"#, ["sending.global_holdout_share"]),
            (#"{"sending": {"global_holdout_share": -0.01}}"#, ["sending.global_holdout_share"]),
            (#"{"sending": {"global_holdout_share": "0.05"}}"#, ["sending.global_holdout_share"]),
            ("[]", ["status 400"]), ("", ["status 400"]),
        ])
    func invalid(body: String, fields: [String]) { #expect(refused(body) == fields) }

    @Test("Lists have at most 10 addresses, and texts their longest length")
    func bounds() {
        let list = { (count: Int) in (0..<count).map { #""a\#($0)@b.example""# }.joined(separator: ",") }
        let digest = { (count: Int) in #"{"digest": {"to": [\#(list(count))], "at": "00:00", "days": ["sun"]}}"# }
        #expect(refused(digest(10)) == nil)
        #expect(refused(digest(11)) == ["digest.to"])
        #expect(refused(#"{"sending": {"staff_addresses": [\#(list(10))]}}"#) == nil)
        #expect(refused(#"{"sending": {"staff_addresses": [\#(list(11))]}}"#) == ["sending.staff_addresses"])
        for (name, longest) in [("clinic_name", 200), ("postal_address", 1000)] {
            let text = { (count: Int) in #"{"sending": {"\#(name)": "\#(String(repeating: "Ō", count: count))"}}"# }
            #expect(refused(text(longest)) == nil)
            #expect(refused(text(longest + 1)) == ["sending.\(name)"])
        }
    }

    @Test("A private address is accepted only where the operator allows it")
    func privateAddress() {
        let body = #"{"webhook": {"url": "http://127.0.0.1:5678/webhook"}}"#
        #expect(refused(body) == ["webhook.url"])
        #expect(refused(body, allowsPrivate: true) == nil)
    }

    @Test("The secret is shown where the statement returns its version, and only there")
    func secret() throws {
        let keys = try keys()
        let row = ["result": "stored", "webhook_url": "https://a.example/", "secret_version": "3"]
        let endpoint = try PutSettings(settings(#"{"webhook": {"url": "https://a.example/"}}"#, keys: keys))
        let expected = try #require(keys.webhookSecrets(organization: "org_2abc123", version: 3)?.first?.text)
        let shown = try endpoint.respond(to: endpoint.result([row]))
        #expect(try json(shown.body).object?["webhook"]?.object?["secret"]?.text == expected)
        let again = try endpoint.respond(to: endpoint.result([row.filter { $0.key != "secret_version" }]))
        #expect(try json(again.body).object?["webhook"]?.object?["secret"] == nil)
        let rotate = try RotateWebhook(settings("{}", keys: keys))
        let rotated = try rotate.respond(to: rotate.result([row.merging(["result": "rotated"]) { $1 }]))
        #expect(try json(rotated.body).object?["webhook"]?.object?["secret"]?.text == expected)
        let test = try TestWebhook(settings("{}", keys: keys))
        let requested = try test.respond(
            to: test.result([["result": "requested", "webhook_url": "https://a.example/"]]))
        #expect(requested.status == 202)
        #expect(try json(requested.body).object?["webhook"]?.object?["secret"] == nil)
    }

    @Test(
        "A refusal of the database is a 409 of its own type",
        arguments: [
            ("no_keys", "webhook-keys-missing"), ("no_webhook", "no-webhook"), ("sms_from_taken", "sms-number-taken"),
        ])
    func conflicts(result: String, kind: String) throws {
        for endpoint: any Endpoint in [
            try PutSettings(settings(#"{"digest": null}"#)), try RotateWebhook(settings("{}")),
            try TestWebhook(settings("{}")),
        ] {
            let problem = problem { _ = try endpoint.respond(to: endpoint.result([["result": result]])) }
            #expect(problem?.kind.rawValue == kind)
            #expect(problem?.status == 409)
        }
    }

    @Test("Another result is an error of the server")
    func unexpected() throws {
        let endpoint = try TestWebhook(settings("{}"))
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([["result": "?"]])) }
    }

    @Test("Only a change is recorded by its own statement")
    func recorded() throws {
        let row = ["result": "stored"]
        for (body, isRecorded) in [("{}", false), (#"{"sending": null}"#, true)] {
            let endpoint = try PutSettings(settings(body))
            let response = try endpoint.respond(to: endpoint.result([row]))
            #expect({ if case .recorded = response.disclosure { true } else { false } }() == isRecorded)
        }
    }
}

@Suite("Addresses of people")
struct ContactAddressTests {
    @Test(
        "An e-mail address has atoms, dots and a domain",
        arguments: [
            "a@b", "desk@clinic.example", "a.b+c@d-e.example", "!#$%&'*+-/=?^_`{|}~@b.example", "1@2.example",
            String(repeating: "a", count: 64) + "@b.example",
        ])
    func email(text: String) { #expect(ContactAddress.isEmail(text)) }

    @Test(
        "Other texts are none",
        arguments: [
            "", "a", "@b", "a@", "a@b@c", ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.", "a@b..c", "a@-b", "a@b-", "a b@c",
            "\"a b\"@c", "a@[127.0.0.1]", "a@b_c", "ä@b", "a@bücher.example", "a@b\n", "a@b,c@d", "<a@b>", "a\u{0}@b",
            String(repeating: "a", count: 65) + "@b.example", "a@" + String(repeating: "b", count: 64),
            "a@" + Array(repeating: String(repeating: "b", count: 63), count: 4).joined(separator: "."),
        ])
    func noEmail(text: String) { #expect(!ContactAddress.isEmail(text)) }

    @Test("A phone number is in E.164", arguments: ["+1234567", "+61400000000", "+123456789012345"])
    func phone(text: String) { #expect(ContactAddress.isPhone(text)) }

    @Test(
        "Other texts are no numbers",
        arguments: [
            "", "+", "+123456", "+1234567890123456", "+0123456789", "61400000000", "+61 400 000 000", "+6140000000a",
            "++61400000000", "+٦١٤٠٠٠٠٠٠٠٠",
        ])
    func noPhone(text: String) { #expect(!ContactAddress.isPhone(text)) }
}
