import Digest

/// A client's text as the audit stores it, bounded so that no client can fill a disk with it.
///
/// Characters are Unicode code points, as PostgreSQL counts them.
enum AuditText {
    /// The most characters stored, which ids, users, sessions and roles fit in (definitions.md sections 1 and 7).
    private static let most = 255
    /// The characters stored of a longer text.
    private static let kept = 100
    /// `255 characters, sha256 ` and 64 digits: nothing is gained by it in the place of a text that is shorter.
    private static let digestLength = 87

    /// The text, or of a longer one the beginning with its length and digest.
    static func bounded(_ text: String) -> String {
        // Few bytes are few characters.
        guard text.utf8.count > most, text.unicodeScalars.count > most else { return text }
        return "\(String(text.unicodeScalars.prefix(kept)))… (\(summary(of: text)))"
    }

    static func bounded(_ text: String?) -> String? { text.map { bounded($0) } }

    /// Length and digest, where these are shorter than the text.
    static func digested(_ text: String) -> String { text.utf8.count > digestLength ? summary(of: text) : text }

    private static func summary(of text: String) -> String {
        "\(text.unicodeScalars.count) characters, sha256 \(SHA256(Array(text.utf8))?.text ?? "unknown")"
    }
}
