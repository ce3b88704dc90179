import JSON
import PostgreSQL

/// `GET …/patients/prioritized`: whom to contact first, page by page.
struct PrioritizedPatients: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/patients/prioritized"

    enum RiskLevel: String, Choice {
        case critical, high, medium, low, engaged, all
    }

    let organization: String
    let riskLevel: RiskLevel
    let limit: Int
    let cursor: Cursor?

    init(_ call: Call) throws(Problem) {
        organization = call.organization
        var faults = Faults()
        riskLevel = call.parameters.choice("risk_level", default: .all, &faults)
        limit = call.parameters.number("limit", in: 1...200, default: 50, &faults)
        cursor = Self.cursor(call, riskLevel, &faults)
        try faults.check()
    }

    private static func cursor(_ call: Call, _ riskLevel: RiskLevel, _ faults: inout Faults) -> Cursor? {
        guard let text = call.parameters.value(of: "cursor", &faults) else { return nil }
        guard let cursor = Cursor(text) else {
            faults.add("cursor", "is not one of ours; send summary.next_cursor of the page before as it is")
            return nil
        }
        guard cursor.belongs(to: call.organization, riskLevel.rawValue) else {
            faults.add("cursor", "belongs to another organization or risk_level; start again without it")
            return nil
        }
        return cursor
    }

    private static let statement = Statement(
        name: "prioritized_patients",
        sql: """
            SELECT \(([.text("timestamp")] + patientFields).columns)
            FROM re.prioritized_patients($1, $2, NULL, NULL, NULL, NULL, 'priority', false, $3::int,
                $4::int, $5::int, $6::int, NULL, $7)
            """)

    /// One row more than asked for tells whether there is another page.
    var query: Query {
        Query(
            Self.statement,
            [
                organization, riskLevel == .all ? nil : riskLevel.rawValue, String(limit + 1),
                cursor.map { String($0.priority) }, cursor.map { String($0.score) }, cursor.map { String($0.days) },
                cursor?.id,
            ])
    }

    var variant: String? { "" }

    var filter: [(name: StaticString, value: String)] {
        [("risk_level", riskLevel.rawValue), ("limit", String(limit)), ("continued", cursor == nil ? "no" : "yes")]
    }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        let count = first.isNull(1) ? 0 : min(rows.rowCount, limit)
        var shown = PatientIDs(capacity: count)
        for index in 0..<count { shown.add(rows[index], 1) }
        let nextCursor = rows.rowCount > limit ? try cursor(after: rows[count - 1]) : nil
        var writer = JSONWriter(capacity: 640 * (count + 1))
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.member("patients", array: { writer in
                for index in 0..<count { writer.object { $0.members(patientFields, of: rows[index], from: 1) } }
            })
            writer.member("summary", object: { writer in
                writer.member("total_returned", number: count)
                writer.member("filters_applied", object: { writer in
                    writer.member("risk_level", string: riskLevel.rawValue)
                    writer.member("limit", number: limit)
                })
                writer.member("next_cursor", string: nextCursor)
            })
            answeredAt = writer.member(clock: .text("timestamp"), of: first, 0)
        }
        return .json(writer.bytes, answeredAt: answeredAt, disclosing: .patients(shown))
    }

    private func cursor(after row: Row) throws(EndpointError) -> String {
        guard let id = row.text(1), let priority = row.int(11), let score = row.int(6), let days = row.int(7) else {
            throw EndpointError(description: "a patient without a place in the order of priority")
        }
        return Cursor(
            organization: organization, riskLevel: riskLevel.rawValue, priority: priority, score: score, days: days,
            id: id
        ).encoded
    }
}
