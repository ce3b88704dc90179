import JSON

/// The section `digest` of the settings: to whom, at which time and on which days the morning digest goes.
struct DigestSetting: Sendable {
    /// The days of the week in the contract's spelling.
    enum Day: String, Choice {
        case mon, tue, wed, thu, fri, sat, sun
    }

    private let to: [String]
    private let at: String
    private let days: [String]

    private static let mostAddresses = 10

    /// Reads the section. Its errors are added to those of `fields`.
    init(_ fields: inout BodyFields) {
        to = fields.texts("to", 1...Self.mostAddresses).map(ContactAddress.trimmed)
        if let index = to.firstIndex(where: { !ContactAddress.isEmail($0) }) {
            fields.errors.add("to", "has an item, number \(index + 1), that is not an e-mail address")
        }
        at = fields.text("at", of: 1...200)
        if !at.isEmpty, !Self.isTime(at) { fields.errors.add("at", "must be a time from 00:00 to 23:59, as HH:MM") }
        days = fields.texts("days", 1...Day.allCases.count)
        let named = days.compactMap(Day.named)
        if named.count < days.count || Set(named).count < named.count {
            fields.errors.add("days", "must list days, each once; \(Day.expectation.dropFirst("must be ".count))")
        }
    }

    private static func isTime(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy(ContactAddress.isDigit) }),
            let hour = Int(String(decoding: parts[0], as: UTF8.self)),
            let minute = Int(String(decoding: parts[1], as: UTF8.self))
        else { return false }
        return hour < 24 && minute < 60
    }

    /// The section as it is stored.
    var json: String {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.array("to") { writer in
                for address in to { writer.string(address) }
            }
            writer.member("at", string: at)
            writer.array("days") { writer in
                for day in days { writer.string(day) }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
