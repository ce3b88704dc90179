import PostgreSQL

/// `POST …/alerts/acknowledge`: acknowledges an alert, for good or until a day.
struct AcknowledgeAlert: AlertWord {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/alerts/acknowledge"

    let organization: String
    let subject: String
    let patientID: String
    let since: CalendarDay
    let until: CalendarDay?
    let note: String
    private let recorded: [String?]

    private static let longestNote = 1000

    init(_ call: Call) throws(Problem) {
        var fields = try BodyFields(call.body)
        patientID = fields.patientID("patient_id")
        since = fields.day("critical_since")
        until = fields.optionalDay("until")
        note = fields.optionalText("note", atMost: Self.longestNote)
        try fields.errors.check()
        (organization, subject, recorded) = (call.organization, call.subject, call.recorded)
    }

    private static let statement = Statement(
        name: "acknowledge_alert",
        sql: """
            SELECT \(AlertWordResult.selected)
            FROM re.acknowledge_alert($1, $2, $3::date, $4::date, $5, $6, $7, $8, $9, $10, $11, $12)
            """)

    var query: Query {
        Query(Self.statement, [organization, patientID, since.text, until?.text, note, subject] + recorded)
    }

    /// It does not contain the note.
    var filter: [(name: StaticString, value: String)] {
        var filter: [(name: StaticString, value: String)] = [
            ("patient_id", patientID), ("critical_since", since.text),
        ]
        if let until { filter.append(("until", until.text)) }
        return filter
    }
}
