import PostgreSQL
import Testing

@Suite("The text of an array")
struct ArrayLiteralTests {
    @Test("quotes what would otherwise mean something else")
    func quotes() {
        var literal = ArrayLiteral(capacity: 8)
        // A combining mark after a quote makes one character of both to Swift, and must not hide the quote.
        let texts = ["a", "a-1_B.5", #"b"\c,{}"#, "", "NULL", "null", "two words", "\"\u{301}", "a:b"]
        for text in texts { literal.append(text) }
        literal.append(nil)
        #expect(literal.count == 10)
        let end = #""two words","\""# + "\u{301}" + #"","a:b",NULL}"#
        #expect(Array(literal.text.utf8) == Array((#"{a,a-1_B.5,"b\"\\c,{}","","NULL","null","# + end).utf8))
        #expect(literal.size == literal.bytes.count - 1)
    }

    @Test("is empty braces without an element")
    func empty() { #expect(ArrayLiteral().text == "{}" && ArrayLiteral.text(of: []) == "{}") }
}
