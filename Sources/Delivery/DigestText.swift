/// The text of a digest. It names no patient.
struct DigestText: Equatable, Sendable {
    /// The clinic's day, as `2025-06-30`.
    let day: String
    /// The patients who have become critical since the last digest.
    let new: Int
    /// The open alerts of the last 7 days.
    let open: Int
    let critical: Int
    /// Nil if the clinic has set no name.
    let clinicName: String?
    /// The address of the dashboard. Nil if it is not known.
    let link: String?

    var subject: String {
        "\(new) new critical patient\(new == 1 ? "" : "s"), \(open) open alert\(open == 1 ? "" : "s")"
    }

    private var rows: [(label: String, number: Int)] {
        [
            ("New critical patients since the last digest", new), ("Open alerts of the last 7 days", open),
            ("Critical patients", critical),
        ]
    }

    private var title: String { "Alerts on \(day)" }

    var text: String {
        var lines = [clinicName.map(Self.oneLine), title].compactMap { $0 } + [""]
        lines += rows.map { "\($0.label): \($0.number)" }
        if let link { lines += ["", "Dashboard: \(link)"] }
        return lines.joined(separator: "\n") + "\n"
    }

    var html: String {
        var lines = ["<!DOCTYPE html>", "<html lang=\"en\"><head><title>\(title)</title></head><body>"]
        if let clinicName { lines.append("<p>\(Self.escaped(Self.oneLine(clinicName)))</p>") }
        lines += ["<h1>\(title)</h1>", "<table>"]
        lines += rows.map {
            "<tr><th scope=\"row\" style=\"text-align: left\">\($0.label)</th><td>\($0.number)</td></tr>"
        }
        lines.append("</table>")
        if let link {
            let address = Self.escaped(link)
            lines.append("<p><a href=\"\(address)\">\(address)</a></p>")
        }
        return (lines + ["</body></html>"]).joined(separator: "\n") + "\n"
    }

    /// Without control characters, which could begin another line.
    private static func oneLine(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    private static func escaped(_ text: String) -> String {
        text.map { character in
            switch character {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            default: String(character)
            }
        }.joined()
    }
}
