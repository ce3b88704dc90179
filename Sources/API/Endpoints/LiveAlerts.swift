import PostgreSQL

/// `GET …/alerts/live`: a stream of notices. The endpoint validates its opening and reads the numbers of its first
/// message.
struct LiveAlerts: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/alerts/live"
    static let isStream = true

    let organization: String
    /// The number of the last notice that the client has seen. Nil if it wants those from now on.
    let after: Int?

    /// - Throws: a 422 for a number that is none. `Last-Event-ID` precedes `after`.
    init(_ call: Call) throws(Problem) {
        var values = AddressValues(call.parameters)
        organization = call.organization
        if let given = call.lastEventID {
            after = Self.number(given)
            if after == nil { values.errors.add("Last-Event-ID", "must be the number of a notice, or 0") }
        } else {
            after = values.number("after", in: 0...Int.max)
        }
        try values.errors.check()
    }

    /// The whole number in decimal digits, without leading zeros.
    private static func number(_ text: [UInt8]) -> Int? {
        let isDecimal = text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isDecimal, text.count == 1 || text.first != UInt8(ascii: "0") else { return nil }
        return Int(String(decoding: text, as: UTF8.self))
    }

    private static let numbers = Columns([
        .number("sequence"), .number("critical"), .number("new_today"), .number("open"),
    ])
    private static let statement = Statement(
        name: "live_alerts", sql: "SELECT \(numbers.selected) FROM re.live_alerts($1)")

    var query: Query { Query(Self.statement, [organization]) }
    var filter: [(name: StaticString, value: String)] {
        guard let after else { return [] }
        return [("after", String(after))]
    }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        guard let sequence = row.int("sequence", of: Self.numbers),
            let critical = row.int("critical", of: Self.numbers),
            let newToday = row.int("new_today", of: Self.numbers), let open = row.int("open", of: Self.numbers)
        else { throw EndpointError(description: "the query returned no numbers") }
        var response = Response(status: 200, contentType: "text/event-stream", body: [])
        response.stream = StreamNumbers(
            after: after, sequence: sequence, critical: critical, newToday: newToday, open: open)
        return response
    }
}
