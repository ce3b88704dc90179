import Testing

@testable import JWT

@Suite struct Base64URLTests {
    @Test("Every length up to a few groups comes back as it was")
    func roundTrip() {
        for length in 0...20 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ 251) }
            #expect(Base64URL.decode(base64URL(bytes).utf8) == bytes)
        }
    }

    @Test(
        "Anything but the one canonical spelling is refused",
        arguments: ["A", "AAAAA", "AB", "AAB", "AA=", "AA==", "A A", "A+AA", "A/AA", "AA\n", "é", "AAA.", "\0AAA"])
    func refused(_ text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }
}
