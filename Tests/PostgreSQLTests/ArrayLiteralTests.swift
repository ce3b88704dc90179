import PostgreSQL
import Testing

@Suite("The text of a PostgreSQL array")
struct ArrayLiteralTests {
    @Test("Every element that would otherwise be misread is quoted")
    func quotes() {
        var literal = ArrayLiteral(capacity: 8)
        // Swift joins a quote and a combining mark to one character, which must not hide the quote.
        let texts = ["a", "a-1_B.5", #"b"\c,{}"#, "", "NULL", "null", "two words", "\"\u{301}", "a:b"]
        for text in texts { literal.append(text) }
        literal.append(nil)
        #expect(literal.count == 10)
        let end = #""two words","\""# + "\u{301}" + #"","a:b",NULL}"#
        #expect(Array(literal.text.utf8) == Array((#"{a,a-1_B.5,"b\"\\c,{}","","NULL","null","# + end).utf8))
        #expect(literal.size == literal.bytes.count - 1)
    }

    @Test("An array without elements is a pair of braces")
    func empty() { #expect(ArrayLiteral().text == "{}" && ArrayLiteral.text(of: []) == "{}") }
}
