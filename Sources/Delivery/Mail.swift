internal import Text

/// A mail, ready to be handed over.
struct Mail: Equatable, Sendable {
    let from: String
    let recipients: [String]
    /// The headers and the body (RFC 5322), with CRLF at the end of each line.
    let content: [UInt8]
    /// The name of its file in an outbox.
    let fileName: String

    /// A mail with the same content as text and as HTML.
    ///
    /// - Parameters:
    ///   - id: the part of `Message-ID` before the `@`. It is the same for each attempt.
    ///   - boundary: separates the parts. It must not occur in them.
    init(
        from: String, recipients: [String], subject: String, id: String, date: UTCTime, text: String, html: String,
        boundary: String
    ) {
        (self.from, self.recipients) = (from, recipients)
        let domain = from.split(separator: "@").last.map { String($0) } ?? "localhost"
        var lines = [
            "Date: \(date.mailDate)", "From: \(from)", "To: \(recipients.joined(separator: ",\r\n "))",
            "Message-ID: <\(id)@\(domain)>", "Subject: \(subject)", "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0", "Content-Type: multipart/alternative; boundary=\"\(boundary)\"", "",
        ]
        for (type, part) in [("plain", text), ("html", html)] {
            lines += [
                "--\(boundary)", "Content-Type: text/\(type); charset=utf-8",
                "Content-Transfer-Encoding: quoted-printable", "", QuotedPrintable.encode(part),
            ]
        }
        lines += ["--\(boundary)--", ""]
        content = Array(lines.joined(separator: "\r\n").utf8)
        fileName = "\(date.fileStamp)-\(id).eml"
    }

    /// True if the text may stand in a header and in a command to a relay: an address of ASCII without blanks, brackets,
    /// quotation marks and commas.
    static func isAddress(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && text.utf8.count <= 254
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"<>()[],;:\\\"".utf8.contains($0) }
    }
}

/// The encoding of text in a mail's body (RFC 2045, section 6.7).
enum QuotedPrintable {
    private static let longestLine = 76

    /// - Parameter text: its lines end with a line feed.
    static func encode(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(line).joined(separator: "\r\n")
    }

    private static func line(_ line: Substring) -> String {
        var (encoded, length) = ("", 0)
        let bytes = Array(line.utf8)
        for (index, byte) in bytes.enumerated() {
            let isBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
            let isPlain =
                (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "=") || isBlank && index + 1 < bytes.count
            let piece = isPlain ? String(UnicodeScalar(byte)) : "=" + Hexadecimal.text([byte]).uppercased()
            // One place is left for the sign of a soft line break.
            if length + piece.utf8.count > longestLine - 1 {
                encoded += "=\r\n"
                length = 0
            }
            encoded += piece
            length += piece.utf8.count
        }
        return encoded
    }
}
