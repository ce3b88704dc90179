import Digest

/// Bounds a client's text before the audit stores it, so that no client can fill a disk.
///
/// A character is a Unicode code point, as in PostgreSQL.
enum AuditText {
    /// The maximum length, which ids, users, sessions and roles do not exceed (definitions.md sections 1 and 7).
    private static let most = 255
    /// The number of characters that are stored of a longer text.
    private static let kept = 100
    /// The length of a summary: `255 characters, sha256 ` and 64 digits. A shorter text is stored as it is.
    private static let digestLength = 87

    /// The text. A longer one is cut, and its length and digest are appended.
    static func bounded(_ text: String) -> String {
        // A text has no more characters than bytes, and its bytes need no counting.
        guard text.utf8.count > most, text.unicodeScalars.count > most else { return text }
        return "\(String(text.unicodeScalars.prefix(kept)))… (\(summary(of: text)))"
    }

    static func bounded(_ text: String?) -> String? { text.map { bounded($0) } }

    /// The text, or its length and digest if they are shorter.
    static func digested(_ text: String) -> String { text.utf8.count > digestLength ? summary(of: text) : text }

    private static func summary(of text: String) -> String {
        "\(text.unicodeScalars.count) characters, sha256 \(SHA256(Array(text.utf8))?.text ?? "unknown")"
    }
}
