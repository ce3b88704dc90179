import JSON
import Testing

private func parse(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

@Suite("The JSON parser")
struct JSONParserTests {
    @Test("Every kind of value is parsed")
    func values() throws {
        let object = try #require(try parse(#" {"a": [1, -0.5e+3, true, false, null, "x"], "b": {}} "#).object)
        #expect(object["a"]?.array?.count == 6)
        #expect(object["a"]?.array?[1].double == -500)
        #expect(object["a"]?.array?[5].text == "x")
        #expect(object["b"]?.object?.members.isEmpty == true)
        #expect(object["c"] == nil)
    }

    @Test(
        "A text that is not JSON is refused",
        arguments: [
            "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "01", "+1", "1.", ".5", "1e", "- 1", "tru",
            "NaN",
            "Infinity", "\"\u{1}\"", "\"", "\"\\x\"", "\"\\u12g4\"", "1 2", "{} {}", "\u{FEFF}{}", "[1 2]", "{\"a\" 1}",
            "// x\n1", "nul", "[", "{\"a\":}",
        ])
    func notJSON(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test("Every escape is resolved")
    func escapes() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\té😀""#).text == "\"\\/\u{8}\u{C}\n\r\té😀")
    }

    @Test(
        "A lone surrogate is reported, not repaired",
        arguments: [
            #""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\ud83d\ude00""#, #""\ude00\ud83d""#,
        ])
    func loneSurrogates(text: String) throws {
        guard case .string(let string) = try parse(text) else {
            Issue.record("not a string")
            return
        }
        #expect(string.hasLoneSurrogate)
        #expect(string.text == nil)
    }

    @Test("U+0000, which PostgreSQL cannot store, is reported")
    func nul() throws {
        guard case .string(let string) = try parse(#""a\u0000b""#) else {
            Issue.record("not a string")
            return
        }
        #expect(string.hasNUL)
        #expect(string.text == nil)
    }

    @Test("Bytes that are not UTF-8 are refused, including encoded surrogates and overlong forms")
    func notUTF8() {
        for bytes: [UInt8] in [[0xFF], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xC3, 0x22]] {
            #expect(throws: JSONError.notUTF8) { try JSONValue.parse(bytes) }
        }
    }

    @Test("Nesting is accepted up to the limit, and refused beyond it")
    func depth() throws {
        let deepest = JSONValue.maximumDepth
        _ = try parse(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
        #expect(throws: JSONError.tooDeep) { try parse(String(repeating: "[", count: 60_000)) }
        #expect(throws: JSONError.tooDeep) { try parse(String(repeating: "{\"a\":", count: deepest + 1)) }
    }

    @Test("Repeated names are reported, and composed and decomposed letters are different")
    func names() throws {
        let twice = try #require(try parse(#"{"a":1,"\u0061":2}"#).object)
        #expect(twice.values(of: "a").count == 2)
        #expect(twice.hasDuplicateNames)
        let apart = try #require(try parse(#"{"\u00e9":1,"e\u0301":2}"#).object)
        #expect(!apart.hasDuplicateNames)
        #expect(apart["\u{E9}"]?.double == 1)
    }
}
