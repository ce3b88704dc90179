import API

/// The contact for security reports (RFC 9116; docs/running.md, `SECURITY_CONTACT`).
public struct SecurityText: Sendable, Equatable {
    /// A URI: `mailto:`, `tel:` or `https://`.
    let contact: String
    /// The public origin of the service, if it is known and https.
    let site: String?

    static let path = "/.well-known/security.txt"

    /// The validity of a copy in seconds. RFC 9116, section 2.5.5, recommends less than a year.
    private static let validity = 180.0 * 86400

    /// It expires that long after the day of the request, so that it is always valid when it is sent.
    func response(now: Double) -> Response {
        let midnight = (now / 86400).rounded(.down) * 86400
        var lines = ["Contact: \(contact)", "Expires: \(secondsTimestamp(midnight + Self.validity))"]
        if let site { lines.append("Canonical: \(site)\(Self.path)") }
        return Response(
            status: 200, contentType: "text/plain; charset=utf-8",
            body: Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    /// The URI of the operator's setting, which may also be a bare e-mail address. Nil if it is not valid.
    static func contact(_ text: String) -> String? {
        // Only RFC 3986's characters, so that the value cannot begin another line or end early.
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !#"<>"\^`{|}"#.utf8.contains($0) }) else {
            return nil
        }
        let uri = text.contains(":") ? text : "mailto:" + text
        guard let colon = uri.firstIndex(of: ":") else { return nil }
        let rest = uri[uri.index(after: colon)...]
        let parts = rest.split(separator: "@", omittingEmptySubsequences: false)
        let isFit =
            switch uri[..<colon].lowercased() {
            case "mailto": parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            case "tel": rest.hasPrefix("+") && rest.dropFirst().contains { $0.isNumber }
            case "https": rest.hasPrefix("//") && rest.dropFirst(2).first.map { $0 != "/" } ?? false
            default: false
            }
        return isFit ? uri : nil
    }
}
