import Testing

@testable import Delivery

@Suite("Mails")
struct MailTests {
    @Test("Quoted-printable keeps plain text, and encodes the rest in lines of at most 76 characters")
    func quotedPrintable() {
        #expect(QuotedPrintable.encode("a = b\nc ") == "a =3D b\r\nc=20")
        #expect(QuotedPrintable.encode("é") == "=C3=A9")
        let long = QuotedPrintable.encode(String(repeating: "é", count: 100))
        #expect(long.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 76 })
        #expect(long.replacing("=\r\n", with: "") == String(repeating: "=C3=A9", count: 100))
    }

    @Test(
        "An address with a blank, a bracket or a line break is none",
        arguments: ["", "a", "@b", "a@", "a@b@c", "a b@c", "<a@b>", "a@b\r\nRCPT TO:<c@d>", "a,b@c", "é@b"])
    func addresses(text: String) { #expect(!Mail.isAddress(text)) }

    @Test("A mail has both parts, and lines that end with CRLF")
    func content() {
        let mail = Mail(
            from: "alerts@example.com", recipients: ["a@x", "b@y"], subject: "1 new", id: "digest.1", date: UTCTime(0),
            text: "one\n", html: "<p>one</p>\n", boundary: "b")
        let text = String(decoding: mail.content, as: UTF8.self)
        #expect(
            text.hasPrefix("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nFrom: alerts@example.com\r\nTo: a@x,\r\n b@y\r\n"))
        #expect(text.contains("Message-ID: <digest.1@example.com>\r\n"))
        #expect(text.hasSuffix("--b--\r\n") && !text.replacing("\r\n", with: "").contains("\n"))
        #expect(mail.fileName == "19700101T000000Z-digest.1.eml")
    }

    @Test("A digest escapes the clinic's name")
    func digest() {
        let digest = DigestText(
            day: "2025-06-30", new: 1, open: 2, critical: 3, clinicName: "A <b>\r\nB", link: "https://x.example")
        #expect(digest.subject == "1 new critical patient, 2 open alerts")
        #expect(
            digest.text.hasPrefix("A <b>  B\nAlerts on 2025-06-30\n\nNew critical patients since the last digest: 1\n"))
        #expect(digest.html.contains("<p>A &lt;b&gt;  B</p>") && digest.html.contains("href=\"https://x.example\""))
    }

    @Test(
        "A relay is smtp or smtps with a host, without a login or a path",
        arguments: [
            "http://a", "smtp://", "smtp://user@a", "smtp://a/b", "smtp://a?b", "smtp://a b", "outbox:x", "a",
            "smtp://a:0",
        ])
    func noRelay(text: String) { #expect(SMTPRelay(text) == nil) }

    @Test(
        "Only this machine may lack TLS",
        arguments: [
            ("smtp://127.0.0.1:2525", true), ("smtp://localhost", true), ("smtp://[::1]:25", true),
            ("smtp://10.0.0.1", false),
            ("smtp://mail.example.com:587", false), ("smtps://mail.example.com", false),
            ("smtp://127.0.0.1.example", false),
        ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try #require(SMTPRelay(text)).isLoopback == isLoopback)
    }
}
