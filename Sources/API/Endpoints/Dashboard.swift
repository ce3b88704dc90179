import JSON
import PostgreSQL

/// `GET …/dashboard`: the levels with their scores, and the ten patients to contact first.
struct Dashboard: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/dashboard"

    let organization: String

    init(_ call: Call) throws(Problem) { organization = call.organization }

    private static let level: Fields = [.number("count"), .number("avg_score")]
    private static let totals: Fields = [.number("immediate_actions_needed"), .text("last_updated"), .text("time_zone")]
    private static let patient: Fields = [
        .text("id"), .text("name"), .text("risk_level"), .number("risk_score"), .text("action"),
        .number("days_since_contact"),
    ]
    private static let firstTotal = 1 + riskLevels.count * level.count
    private static let firstPatientColumn = firstTotal + totals.count

    private static let statement: Statement = {
        let levelColumns = riskLevels.list.flatMap { risk in level.list.map { "\(risk.name)_\($0.name)" } }
        let columns = (["total_patients"] + levelColumns + [totals.columns, patient.columns]).joined(separator: ", ")
        return Statement(name: "dashboard", sql: "SELECT \(columns) FROM re.dashboard($1)")
    }()

    var query: Query { Query(Self.statement, [organization]) }
    var variant: String? { "" }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        var shown = PatientIDs(capacity: rows.rowCount)
        var writer = JSONWriter(capacity: 2048)
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.member("organization_id", string: organization)
            writer.member(Self.totals.list[2], of: first, Self.firstTotal + 2)
            writer.member("summary", object: { writer in
                writer.member(.number("total_patients"), of: first, 0)
                writer.member("risk_breakdown", object: { writer in
                    for (index, risk) in riskLevels.list.enumerated() {
                        writer.member(risk.name, object: { writer in
                            writer.members(Self.level, of: first, from: 1 + index * Self.level.count)
                        })
                    }
                })
                writer.member(Self.totals.list[0], of: first, Self.firstTotal)
            })
            writer.member("top_priority_patients", array: { writer in
                for row in rows.rows where !row.isNull(Self.firstPatientColumn) {
                    shown.add(row, Self.firstPatientColumn)
                    writer.object { $0.members(Self.patient, of: row, from: Self.firstPatientColumn) }
                }
            })
            answeredAt = writer.member(clock: Self.totals.list[1], of: first, Self.firstTotal + 1)
        }
        return .json(writer.bytes, answeredAt: answeredAt, disclosing: .patients(shown))
    }
}
