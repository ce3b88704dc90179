import Testing

@testable import API

@Suite("A date")
struct CalendarDayTests {
    @Test(
        "A date that exists is read",
        arguments: ["0001-01-01", "2025-06-28", "2024-02-29", "2000-02-29", "2025-12-31", "2025-04-30", "9999-12-31"])
    func existing(text: String) {
        #expect(CalendarDay(text)?.text == text)
    }

    @Test(
        "Any other text is refused",
        arguments: [
            "", "2025", "2025-6-28", "20250628", "2025-06-28T00:00:00Z", " 2025-06-28", "2025/06/28", "0000-01-01",
            "2025-00-01", "2025-13-01", "2025-06-00", "2025-06-31", "2025-02-29", "1900-02-29", "-025-06-28",
            "+025-06-28", "10000-01-01", "2025-06-2８", "today", "infinity", "2025-W26-6",
        ])
    func others(text: String) {
        #expect(CalendarDay(text) == nil)
    }
}
