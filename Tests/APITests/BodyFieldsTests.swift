import Testing

@testable import API

@Suite("The fields of a request body")
struct BodyFieldsTests {
    private enum Word: String, Choice {
        case first, second
    }

    private func fields(_ body: String) throws -> BodyFields { try BodyFields(Array(body.utf8)) }

    @Test(
        "A body that is not a JSON object is refused with 400",
        arguments: [
            "", " ", "null", "true", "1", "\"text\"", "[]", "[{}]", "{", "}", "{\"a\":1,}", "{a:1}", "{'a':1}",
            "{\"a\":1}{}",
            "{\"a\":01}", "{\"a\":NaN}", "\u{FEFF}{}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "a=1&b=2", "<a/>",
        ])
    func notAnObject(body: String) {
        #expect(problem { _ = try fields(body) }?.status == 400)
    }

    @Test("A body that is not UTF-8 is refused with 400")
    func notUTF8() {
        for bytes: [UInt8] in [[0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], [0xFF, 0x7B, 0x7D], [0xC0, 0x80]] {
            let problem = problem { _ = try BodyFields(bytes) }
            #expect(problem?.status == 400)
            #expect(problem?.detail == "The body is not UTF-8.")
        }
    }

    @Test(
        "A byte order mark is refused with 400 and named in the detail",
        arguments: [
            ([0xEF, 0xBB, 0xBF, 0x7B, 0x7D], "(EF BB BF)", ProblemKind.bodyNotJSON),
            ([0xEF, 0xBB, 0xBF], "(EF BB BF)", .bodyNotJSON),
            ([0xFF, 0xFE, 0x7B, 0, 0x7D, 0], "UTF-16;", .bodyNotUTF8),
            ([0xFE, 0xFF, 0, 0x7B, 0, 0x7D], "UTF-16;", .bodyNotUTF8),
            ([0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], "UTF-32;", .bodyNotUTF8),
            ([0, 0, 0xFE, 0xFF, 0, 0, 0, 0x7B], "UTF-32;", .bodyNotUTF8),
        ] as [([UInt8], String, ProblemKind)])
    func byteOrderMarks(bytes: [UInt8], name: String, kind: ProblemKind) {
        let problem = problem { _ = try BodyFields(bytes) }
        #expect(problem?.kind == kind)
        #expect(problem?.detail.contains("byte order mark") == true)
        #expect(problem?.detail.contains(name) == true)
    }

    @Test("A body that nests too deep is refused with 400")
    func nesting() {
        let deep = "{\"a\":" + String(repeating: "[", count: 60_000)
        #expect(problem { _ = try fields(deep) }?.detail.contains("nests deeper") == true)
        let bearable = "{\"a\":" + String(repeating: "[", count: 60) + String(repeating: "]", count: 60) + "}"
        #expect(problem { _ = try fields(bearable) } == nil)
    }

    @Test("The detail contains the byte offset of the first syntax error")
    func position() {
        #expect(problem { _ = try fields(#"{"a":1,}"#) }?.detail == "The body is not JSON; the fault is at byte 7.")
    }

    @Test(
        "A text within its limits in code points is read unchanged",
        arguments: [
            ("\"a\"", "a"), ("\"abc\"", "abc"), (#""\u00e9\n\"""#, "é\n\""), ("\"e\u{301}\"", "e\u{301}"),
            (#""\ud83d\ude00""#, "😀"),
            ("\"👩‍👩\"", "👩‍👩"), ("\" \"", " "),
        ])
    func text(value: String, expected: String) throws {
        var fields = try fields("{\"a\":\(value)}")
        #expect(fields.text("a", of: 1...3).utf8.elementsEqual(expected.utf8))
        #expect(fields.optionalText("a", atMost: 3).utf8.elementsEqual(expected.utf8))
        #expect(fields.errors.list == [])
    }

    @Test(
        "A text that is too long, too short, not valid text or not a string is an error",
        arguments: [
            "\"abcd\"", "\"👩‍👩‍👦\"", "1", "true", "[]", "{}", "[\"a\"]", #""\u0000""#, #""a\u0000""#, #""\ud800""#,
            #""\udc00\ud800""#,
        ])
    func notText(value: String) throws {
        var fields = try fields("{\"a\":\(value)}")
        #expect(fields.text("a", of: 1...3) == "")
        #expect(fields.optionalText("a", atMost: 3) == "")
        #expect(fields.errors.list.map(\.field) == ["a", "a"])
        #expect(fields.errors.list.allSatisfy { $0.message.hasPrefix("must be a string of ") })
    }

    @Test("A required field that is absent or null is an error, and an optional one is empty")
    func missing() throws {
        for body in ["{}", "{\"a\":null}", "{\"A\":\"x\"}", "{\"a \":\"x\"}", #"{"\ud800":"x"}"#, #"{"a\u0000":"x"}"#] {
            var fields = try fields(body)
            #expect(fields.optionalText("a", atMost: 3) == "")
            #expect(fields.optionalBool("a") == false)
            #expect(fields.errors.list == [])
            _ = fields.text("a", of: 1...3)
            _ = fields.choice("a", default: Word.first)
            #expect(
                fields.errors.list == [FieldError](repeating: FieldError(field: "a", message: "is required"), count: 2))
        }
        var empty = try fields("{\"a\":\"\"}")
        #expect(empty.text("a", of: 1...3) == "" && empty.errors.list.count == 1)
        #expect(empty.optionalText("a", atMost: 3) == "" && empty.errors.list.count == 1)
    }

    @Test("A field that is given twice is an error, in any spelling and with any values")
    func duplicates() throws {
        for body in [#"{"a":"x","a":"x"}"#, #"{"a":null,"\u0061":"x"}"#, #"{"a":true,"b":1,"a":true}"#] {
            var fields = try fields(body)
            _ = fields.text("a", of: 1...3)
            _ = fields.optionalText("a", atMost: 3)
            _ = fields.optionalBool("a")
            _ = fields.choice("a", default: Word.first)
            let twice = FieldError(field: "a", message: "is given 2 times; give it once")
            #expect(fields.errors.list == [FieldError](repeating: twice, count: 4))
        }
        var others = try fields(#"{"b":1,"b":2,"a":"x"}"#)
        #expect(others.text("a", of: 1...3) == "x")
        #expect(others.errors.list == [])
    }

    @Test("A flag accepts only true and false")
    func flags() throws {
        for (value, flag) in [("true", true), ("false", false)] {
            var fields = try fields("{\"a\":\(value)}")
            #expect(fields.optionalBool("a") == flag)
            #expect(fields.errors.list == [])
        }
        for value in ["\"true\"", "1", "0", "\"\"", "[]", "{}"] {
            var fields = try fields("{\"a\":\(value)}")
            #expect(fields.optionalBool("a") == false)
            #expect(fields.errors.list == [FieldError(field: "a", message: "must be true or false")])
        }
    }

    @Test("A choice accepts only its listed words")
    func choices() throws {
        var second = try fields(#"{"a":"\u0073econd"}"#)
        #expect(second.choice("a", default: Word.first) == .second)
        #expect(second.errors.list == [])
        for value in ["\"Second\"", "\"second \"", "\"\"", "1", "[\"second\"]", #""second\u0000""#] {
            var fields = try fields("{\"a\":\(value)}")
            _ = fields.choice("a", default: Word.first)
            #expect(fields.errors.list == [FieldError(field: "a", message: "must be one of first, second")])
        }
    }
}
