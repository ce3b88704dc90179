import Digest
import JSON

/// The end of a page of a list: the position of the page's last patient in the list's order.
///
/// It is a position and not a number of rows, so that no patient is repeated or skipped when others enter or leave the
/// list. It is opaque to the client. It identifies its list by a digest, because an address has at most 8 KiB and must
/// not contain the searched text (definitions.md section 5).
struct Cursor: Equatable {
    /// The position of a patient in one of the three kinds of order.
    enum Place: Equatable {
        case rank(priority: Int, score: Int, days: Int, id: String)
        /// The folded name, cut to ``longestName`` bytes.
        case name(String, id: String)
        case alert(since: CalendarDay, priority: Int, score: Int, id: String)
    }

    /// Identifies the list that the cursor belongs to (``digest(of:)``).
    let digest: String
    let place: Place

    /// The message for a text that is no cursor.
    static let notOurs = "is not one of ours; send summary.next_cursor of the page before as it is"

    private static let version = "2"
    private static let longestName = 200

    init(digest: String, place: Place) {
        self.digest = digest
        self.place = place
    }

    /// Digests the values that identify a list.
    static func digest(of values: [String?]) throws(Problem) -> String {
        var writer = JSONWriter(capacity: 256)
        writer.array { writer in
            for value in values {
                if let value { writer.string(value) } else { writer.null() }
            }
        }
        guard let digest = SHA256(writer.bytes) else { throw .internalError }
        // Half of the digest is enough to distinguish lists.
        return Base64URL.encode(Array(digest.bytes[..<16]))
    }

    /// Parses a cursor. Nil for a text that ``encoded`` did not write.
    init?(_ text: String) {
        guard let bytes = Base64URL.decode(text.utf8), let parts = (try? JSONValue.parse(bytes))?.array,
            let version = parts.first?.text, version.utf8.elementsEqual(Self.version.utf8),
            parts.count > 1, let digest = parts[1].text, let place = Self.place(parts[2...])
        else { return nil }
        self.init(digest: digest, place: place)
        guard encoded.utf8.elementsEqual(text.utf8) else { return nil }
    }

    private static func place(_ parts: ArraySlice<JSONValue>) -> Place? {
        guard let id = parts.last?.text, !id.isEmpty else { return nil }
        let first = parts.startIndex
        switch parts.count {
        case 2:
            guard let name = parts[first].text, name.utf8.count <= longestName else { return nil }
            return .name(name, id: id)
        case 4:
            if let day = parts[first].text { return alert(day, parts[first + 1], parts[first + 2], id) }
            guard let priority = number(parts[first], in: 1...4), let score = number(parts[first + 1], in: 0...100),
                let days = number(parts[first + 2], in: 0...Int(Int32.max))
            else { return nil }
            return .rank(priority: priority, score: score, days: days, id: id)
        default: return nil
        }
    }

    private static func alert(_ day: String, _ priority: JSONValue, _ score: JSONValue, _ id: String) -> Place? {
        guard let since = CalendarDay(day), let priority = number(priority, in: 1...4),
            let score = number(score, in: 0...100)
        else { return nil }
        return .alert(since: since, priority: priority, score: score, id: id)
    }

    var encoded: String {
        var writer = JSONWriter(capacity: 256)
        writer.array { writer in
            writer.string(Self.version)
            writer.string(digest)
            switch place {
            case .rank(let priority, let score, let days, let id):
                writer.number(priority)
                writer.number(score)
                writer.number(days)
                writer.string(id)
            case .name(let name, let id):
                writer.string(Self.beginning(of: name))
                writer.string(id)
            case .alert(let since, let priority, let score, let id):
                writer.string(since.text)
                writer.number(priority)
                writer.number(score)
                writer.string(id)
            }
        }
        return Base64URL.encode(writer.bytes)
    }

    /// The beginning of a name in whole code points, because a name may have any length.
    private static func beginning(of name: String) -> String {
        let bytes = Array(name.utf8.prefix(longestName + 1))
        guard bytes.count > longestName else { return name }
        // A byte whose first bits are 10 continues a code point (RFC 3629 section 3).
        let end = (0...longestName).last { bytes[$0] & 0b1100_0000 != 0b1000_0000 }
        return String(decoding: bytes[..<(end ?? 0)], as: UTF8.self)
    }

    private static func number(_ value: JSONValue, in range: ClosedRange<Int>) -> Int? {
        guard case .number(let literal) = value, let number = Int(literal), range.contains(number) else { return nil }
        return number
    }
}
