import Digest
import Testing
import Text

@Suite("Text, hexadecimal digits and digests")
struct TextTests {
    @Test("Bytes are text if they are UTF-8, even if they contain U+FFFD")
    func utf8() {
        for text in ["", "a", "Ō\u{1F600}", "\u{FFFD}", "a\u{0}b"] { #expect(String(utf8: Array(text.utf8)) == text) }
        for bytes: [UInt8] in [
            [0x80], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0x61, 0xFF], [0xF4, 0x90, 0x80, 0x80],
        ] {
            #expect(String(utf8: bytes) == nil)
        }
    }

    @Test("Hexadecimal digits are read in either case and written in lower case, with leading zeros")
    func hexadecimal() {
        #expect("09afAF".utf8.map(Hexadecimal.value) == [0, 9, 10, 15, 10, 15])
        #expect("/:@G`g".utf8.allSatisfy { Hexadecimal.value($0) == nil })
        #expect(Hexadecimal.text([0, 0x9A, 0xFF] as [UInt8]) == "009aff")
        #expect(Hexadecimal.text(UInt16(0xB)) == "000b")
    }

    @Test("The digest is that of FIPS 180-4")
    func digest() throws {
        let digest = try #require(SHA256(Array("abc".utf8)))
        #expect(digest.text == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(digest.bytes.count == 32)
        #expect(digest == SHA256(Array("abc".utf8)) && digest != SHA256([]))
    }
}
