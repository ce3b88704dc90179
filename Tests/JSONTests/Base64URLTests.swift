import JSON
import Testing

@Suite("Base64url")
struct Base64URLTests {
    @Test(
        "The vectors of RFC 4648 section 10 are encoded and decoded, without padding",
        arguments: [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")])
    func vectors(plain: String, encoded: String) {
        #expect(Base64URL.encode(Array(plain.utf8)) == encoded)
        #expect(Base64URL.decode(encoded.utf8) == Array(plain.utf8))
    }

    @Test("Every byte in every position is decoded unchanged")
    func roundTrip() {
        for length in 0..<6 {
            for byte in UInt8.min...UInt8.max {
                let bytes = Array(repeating: byte, count: length)
                #expect(Base64URL.decode(Base64URL.encode(bytes).utf8) == bytes)
            }
        }
    }

    @Test(
        "Padding, other alphabets, impossible lengths and unused bits that are not zero are refused",
        arguments: ["Zg==", "Zm8=", "Z", "Zm9vY", "Zh", "Zm9", "+/+/", "Zm 9v", "Zm9v\n", "Zmé", "AAA.", "\0AAA"])
    func refused(text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }
}
