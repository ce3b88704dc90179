import JSON
import Testing

@Suite("The JSON writer")
struct JSONWriterTests {
    @Test("Members and elements are separated by commas, at any depth")
    func structure() {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("a", number: -1)
            writer.array("b") { writer in
                writer.bool(true)
                writer.null()
                writer.object { _ in }
                writer.array { _ in }
                writer.string("x")
            }
            writer.member("c", string: nil)
            writer.object("d") { $0.member("e", bool: false) }
            writer.name("f")
            writer.raw("12.50")
        }
        let text = String(decoding: writer.bytes, as: UTF8.self)
        #expect(text == #"{"a":-1,"b":[true,null,{},[],"x"],"c":null,"d":{"e":false},"f":12.50}"#)
    }

    @Test("The parser reads written strings back, with every ASCII character and any script")
    func strings() throws {
        let ascii = (1...127).map { String(Character(Unicode.Scalar($0 as UInt8))) }.joined()
        for text in ["", ascii, "\"", "\\", "Ōtaki 😀 \u{2028}\u{FEFF}e\u{301}", "\u{10FFFF}"] {
            var writer = JSONWriter()
            writer.string(text)
            let read = try #require(try JSONValue.parse(writer.bytes).text)
            #expect(read.utf8.elementsEqual(text.utf8))
        }
    }

    @Test("The writer grows as needed with any content, and returns the number of bytes")
    func growth() throws {
        for length in [0, 1, 63, 64, 65, 1000, 70_000] {
            var writer = JSONWriter(capacity: 1)
            let texts = [String(repeating: "x", count: length), String(repeating: "\u{1}", count: length)]
            writer.array { writer in for text in texts { writer.string(text) } }
            #expect(writer.count == writer.bytes.count)
            let elements = try #require(try JSONValue.parse(writer.bytes).array)
            #expect(elements.map { $0.text } == texts)
        }
    }
}
