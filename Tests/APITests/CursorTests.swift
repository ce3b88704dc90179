import JSON
import Testing

@testable import API

@Suite("The cursor")
struct CursorTests {
    private static let cursor = Cursor(digest: "d", place: .rank(priority: 1, score: 85, days: 47, id: "patient_123"))

    /// Decodes a cursor with this content.
    private func read(_ text: String) -> Cursor? { Cursor(Base64URL.encode(Array(text.utf8))) }

    @Test("A cursor is read back unchanged, with any id and any name")
    func roundTrip() throws {
        for text in [
            "patient_123", " ", "a\"b\\c/", "\n\u{1}\u{7F}", "Ōtaki 😀", "%2F?&=", String(repeating: "x", count: 200),
        ] {
            let places = [(1, 0, 0), (4, 100, Int(Int32.max)), (2, 61, 31)].map { priority, score, days in
                Cursor.Place.rank(priority: priority, score: score, days: days, id: text)
            }
            let day = try #require(CalendarDay("2024-02-29"))
            let others: [Cursor.Place] = [
                .name(text, id: text), .name("", id: text), .alert(since: day, priority: 1, score: 85, id: text),
            ]
            for place in places + others {
                let cursor = Cursor(digest: text, place: place)
                #expect(Cursor(cursor.encoded) == cursor)
                #expect(cursor.encoded.utf8.allSatisfy { $0 == 0x2D || $0 == 0x5F || (0x30...0x7A).contains($0) })
            }
        }
    }

    @Test("Composed and decomposed letters stay different")
    func composition() throws {
        for text in ["caf\u{E9}", "cafe\u{301}"] {
            let read = try #require(Cursor(Cursor(digest: text, place: .name(text, id: text)).encoded))
            guard case .name(let name, let id) = read.place else {
                Issue.record("another place")
                return
            }
            #expect([read.digest, name, id].allSatisfy { $0.utf8.elementsEqual(text.utf8) })
        }
    }

    @Test("A cursor fits into an address, with any id and any name")
    func length() throws {
        let (id, name) = (String(repeating: "\u{1}", count: 200), String(repeating: "\u{1}", count: 100_000))
        let digest = try PrioritizedPatients(call("sort=name")).question.digest()
        #expect(Cursor(digest: digest, place: .name(name, id: id)).encoded.utf8.count < 3500)
    }

    @Test(
        "A text that the server never encodes is refused",
        arguments: [
            "", " ", "null", "{}", "[]", "2", "\"2\"", #"["2"]"#, #"["2","d"]"#, #"["2","d","p"]"#,
            #"["2","d",1,85,47]"#,
            #"["2","d",1,85,47,"p","q"]"#, #"["1","d",1,85,47,"p"]"#, #"[2,"d",1,85,47,"p"]"#, #"["2",1,1,85,47,"p"]"#,
            #"["2",null,1,85,47,"p"]"#, #"["2","d","1",85,47,"p"]"#, #"["2","d",0,85,47,"p"]"#,
            #"["2","d",5,85,47,"p"]"#,
            #"["2","d",1,-1,47,"p"]"#, #"["2","d",1,101,47,"p"]"#, #"["2","d",1,85,-1,"p"]"#,
            #"["2","d",1,85.0,47,"p"]"#,
            #"["2","d",1,85,2147483648,"p"]"#, #"["2","d",1,85,99999999999999999999,"p"]"#,
            #"["2","d",1,85,4.7e1,"p"]"#,
            #"["2","d","2025-02-29",1,85,"p"]"#, #"["2","d","",1,85,"p"]"#, #"["2","d","2025-06-28",0,85,"p"]"#,
            #"["2","d","2025-06-28",1,101,"p"]"#, #"["2","d","2025-06-28",1,"85","p"]"#,
            #"["2","d",1,85,47,7]"#, #"["2","d",1,85,47,""]"#, #"["2","d",1,85,47,"\u0000"]"#,
            #"["2","d",1,85,47,"\ud800"]"#,
            #"["2","d","n",7]"#, #"["2","d",null,"p"]"#, #"["2","d","n",""]"#, #"["2","d","\u0000","p"]"#,
            #"["2","d","\#(String(repeating: "x", count: 201))","p"]"#, #"["2","d",1,85,47,"p"],"#,
            #"["2","d",1,85,47,"p""#,
            // The content of a cursor of an earlier version.
            #"["1","org_1","all",1,85,47,"p"]"#,
            // Other spellings of the content of valid cursors.
            #"["2", "d",1,85,47,"p"]"#, #"["2","d",1,85,47,"\u0070"]"#, #"["2","d",1,85,-0,"p"]"#,
            #"["2","d","\u006e","p"]"#,
        ])
    func refused(text: String) {
        #expect(read(text) == nil)
    }

    @Test("A shortened or lengthened cursor and one that is not base64url are refused")
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

    @Test("A cursor with one changed character never equals the original")
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
