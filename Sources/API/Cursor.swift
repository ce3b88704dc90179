import JSON

/// Where a page of the prioritized list ended: the last patient's place in the order of priority.
///
/// It holds the place and not a number of rows, so that patients who come or go before it neither repeat nor
/// hide others. To the client it is opaque.
struct Cursor: Equatable {
    let organization: String
    let riskLevel: String
    let priority: Int
    let score: Int
    let days: Int
    let id: String

    private static let version = "1"

    init(organization: String, riskLevel: String, priority: Int, score: Int, days: Int, id: String) {
        self.organization = organization
        self.riskLevel = riskLevel
        self.priority = priority
        self.score = score
        self.days = days
        self.id = id
    }

    /// Reads a cursor; nil where it is not one that ``encoded`` wrote.
    init?(_ text: String) {
        guard let bytes = Base64URL.decode(text.utf8), let parts = (try? JSONValue.parse(bytes))?.array,
            parts.count == 7, parts[0].text == Self.version, let organization = parts[1].text,
            let riskLevel = parts[2].text, let priority = Self.number(parts[3], in: 1...4),
            let score = Self.number(parts[4], in: 0...100),
            let days = Self.number(parts[5], in: 0...Int(Int32.max)), let id = parts[6].text, !id.isEmpty
        else { return nil }
        self.init(
            organization: organization, riskLevel: riskLevel, priority: priority, score: score, days: days, id: id)
        guard encoded.utf8.elementsEqual(text.utf8) else { return nil }
    }

    var encoded: String {
        var writer = JSONWriter(capacity: 256)
        writer.array { writer in
            writer.string(Self.version)
            writer.string(organization)
            writer.string(riskLevel)
            writer.number(priority)
            writer.number(score)
            writer.number(days)
            writer.string(id)
        }
        return Base64URL.encode(writer.bytes)
    }

    func belongs(to organization: String, _ riskLevel: String) -> Bool {
        self.organization.utf8.elementsEqual(organization.utf8) && self.riskLevel.utf8.elementsEqual(riskLevel.utf8)
    }

    private static func number(_ value: JSONValue, in range: ClosedRange<Int>) -> Int? {
        guard case .number(let literal) = value, let number = Int(literal), range.contains(number) else { return nil }
        return number
    }
}
