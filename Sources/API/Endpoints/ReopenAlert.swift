import PostgreSQL

/// `POST …/alerts/reopen`: takes back the acknowledgement of an alert, also one by an outreach attempt.
struct ReopenAlert: AlertWord {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/alerts/reopen"

    let organization: String
    let subject: String
    let patientID: String
    let since: CalendarDay
    private let recorded: [String?]

    init(_ call: Call) throws(Problem) {
        var fields = try BodyFields(call.body)
        patientID = fields.patientID("patient_id")
        since = fields.day("critical_since")
        try fields.errors.check()
        (organization, subject, recorded) = (call.organization, call.subject, call.recorded)
    }

    private static let statement = Statement(
        name: "reopen_alert",
        sql: """
            SELECT \(AlertWordResult.selected)
            FROM re.reopen_alert($1, $2, $3::date, $4, $5, $6, $7, $8, $9, $10)
            """)

    var query: Query { Query(Self.statement, [organization, patientID, since.text, subject] + recorded) }

    var filter: [(name: StaticString, value: String)] {
        [("patient_id", patientID), ("critical_since", since.text)]
    }
}
