import Testing

@testable import Delivery

@Suite("Times")
struct UTCTimeTests {
    @Test("An instant is written for JSON and for a mail")
    func formats() {
        let time = UTCTime(1_751_284_800)
        #expect(time.rfc3339 == "2025-06-30T12:00:00Z")
        #expect(time.mailDate == "Mon, 30 Jun 2025 12:00:00 +0000")
    }
}
