import JSON
import Testing

@testable import API

@Suite("The cursor")
struct CursorTests {
    private static let cursor = Cursor(
        organization: "org_1", riskLevel: "all", priority: 1, score: 85, days: 47, id: "patient_123")

    /// A cursor of this text.
    private func read(_ text: String) -> Cursor? { Cursor(Base64URL.encode(Array(text.utf8))) }

    @Test("is read back as it was written, whatever the id and the organization hold")
    func roundTrip() throws {
        for text in ["patient_123", " ", "a\"b\\c/", "\n\u{1}\u{7F}", "Ōtaki 😀", "%2F?&=", String(repeating: "x", count: 5000)] {
            for (priority, score, days) in [(1, 0, 0), (4, 100, Int(Int32.max)), (2, 61, 31)] {
                let cursor = Cursor(
                    organization: text, riskLevel: "high", priority: priority, score: score, days: days, id: text)
                #expect(Cursor(cursor.encoded) == cursor)
                #expect(cursor.encoded.utf8.allSatisfy { $0 == 0x2D || $0 == 0x5F || (0x30...0x7A).contains($0) })
            }
        }
    }

    @Test("keeps composed and decomposed letters as they are")
    func composition() throws {
        for (id, other) in [("caf\u{E9}", "cafe\u{301}"), ("cafe\u{301}", "caf\u{E9}")] {
            let cursor = Cursor(organization: id, riskLevel: "all", priority: 1, score: 1, days: 1, id: id)
            let read = try #require(Cursor(cursor.encoded))
            #expect(read.id.utf8.elementsEqual(id.utf8))
            #expect(read.belongs(to: id, "all"))
            #expect(!read.belongs(to: other, "all"))
        }
        #expect(Self.cursor.belongs(to: "org_1", "all"))
        #expect(!Self.cursor.belongs(to: "org_1", "high"))
        #expect(!Self.cursor.belongs(to: "org_2", "all"))
    }

    @Test(
        "is refused where it is none that was handed out",
        arguments: [
            "", " ", "null", "{}", "[]", "1", "\"1\"", #"["1"]"#, #"["1","org_1","all",1,85,47]"#,
            #"["1","org_1","all",1,85,47,"p","q"]"#, #"["2","org_1","all",1,85,47,"p"]"#, #"[1,"org_1","all",1,85,47,"p"]"#,
            #"["1",1,"all",1,85,47,"p"]"#, #"["1","org_1",null,1,85,47,"p"]"#, #"["1","org_1","all","1",85,47,"p"]"#,
            #"["1","org_1","all",0,85,47,"p"]"#, #"["1","org_1","all",5,85,47,"p"]"#, #"["1","org_1","all",1,-1,47,"p"]"#,
            #"["1","org_1","all",1,101,47,"p"]"#, #"["1","org_1","all",1,85,-1,"p"]"#, #"["1","org_1","all",1,85.0,47,"p"]"#,
            #"["1","org_1","all",1,85,2147483648,"p"]"#, #"["1","org_1","all",1,85,99999999999999999999,"p"]"#,
            #"["1","org_1","all",1,85,4.7e1,"p"]"#, #"["1","org_1","all",1,85,47,7]"#, #"["1","org_1","all",1,85,47,""]"#,
            #"["1","org_1","all",1,85,47,"\u0000"]"#, #"["1","org_1","all",1,85,47,"\ud800"]"#,
            #"["1","org_1","all",1,85,47,"p"],"#, #"["1","org_1","all",1,85,47,"p""#,
            // Other spellings of one that could have been.
            #"["1", "org_1","all",1,85,47,"p"]"#, #"["1","org_1","all",1,85,47,"\u0070"]"#, #"["1","org_1","all",1,85,-0,"p"]"#,
        ])
    func refused(text: String) {
        #expect(read(text) == nil)
    }

    @Test("is refused where it is cut, lengthened or not base64url")
    func tampered() {
        let encoded = Self.cursor.encoded
        for length in 0..<encoded.count { #expect(Cursor(String(encoded.prefix(length))) == nil) }
        for length in 1..<encoded.count { #expect(Cursor(String(encoded.suffix(length))) == nil) }
        for text in [encoded + "A", encoded + "=", encoded + "==", " " + encoded, encoded + "\n", encoded + encoded] {
            #expect(Cursor(text) == nil)
        }
        for character in "+/=. é" { #expect(Cursor(encoded.dropLast() + String(character)) == nil) }
        #expect(Cursor("_w") == nil)
    }

    @Test("with any one character changed is refused or means another place, and never stops the server")
    func changed() {
        let encoded = Array(Self.cursor.encoded.utf8)
        for position in encoded.indices {
            for character in "Aa0_-".utf8 where character != encoded[position] {
                var changed = encoded
                changed[position] = character
                #expect(Cursor(String(decoding: changed, as: UTF8.self)) != Self.cursor)
            }
        }
    }
}
