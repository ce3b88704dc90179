import API
import Testing

@testable import Server

@Suite("security.txt")
struct SecurityTextTests {
    private func lines(_ text: SecurityText, now: Double) -> [String] {
        String(decoding: text.response(now: now).body, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test("The text contains the contact, and an expiry date within a year of any request")
    func expires() {
        let text = SecurityText(contact: "mailto:security@example.com", site: nil)
        #expect(
            lines(text, now: 1_751_284_800) == [
                "Contact: mailto:security@example.com", "Expires: 2025-12-27T00:00:00Z",
            ])
        // Ten years later, without a restart.
        #expect(lines(text, now: 2_066_817_600)[1] == "Expires: 2035-12-27T00:00:00Z")
        #expect(text.response(now: 0).contentType == "text/plain; charset=utf-8")
    }

    @Test("The text contains its own address if that is configured")
    func canonical() {
        let text = SecurityText(contact: "https://example.com/report", site: "https://api.example.com")
        #expect(lines(text, now: 0).last == "Canonical: https://api.example.com/.well-known/security.txt")
    }

    @Test(
        "A contact of RFC 9116 or a bare e-mail address is accepted",
        arguments: [
            ("security@example.com", "mailto:security@example.com"), ("mailto:a@b.example", "mailto:a@b.example"),
            ("https://example.com/report?x=1#y", "https://example.com/report?x=1#y"),
            ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
            ("MAILTO:a@b.example", "MAILTO:a@b.example"),
        ])
    func contacts(text: String, uri: String) { #expect(SecurityText.contact(text) == uri) }

    @Test(
        "An invalid contact is refused",
        arguments: [
            "", "security", "@", "a@", "@b", "a@b@c", "mailto:", "http://example.com", "https://", "https:///x",
            "https:x", "tel:1", "tel:+",
            "javascript:alert(1)", "a@b.example\nExpires: 1", "a@b.example\r", "a b@c.example", "sécurité@example.com",
            "<a@b.example>", "//x",
        ])
    func refused(text: String) { #expect(SecurityText.contact(text) == nil) }
}
