import PostgreSQL

/// `POST …/settings/webhook/test`: asks the sender for a ping. Its outcome appears in `webhook.last_test`.
struct TestWebhook: Endpoint {
    static let method = Method.post
    static let path: StaticString = "/api/v1/reengagement/{org_id}/settings/webhook/test"
    static let isRepeatable = false
    static let isForAdministrators = true
    static let body = BodyRule.undefined
    static let organizationLimit: OrganizationLimit? = OrganizationLimit(most: 10, period: .seconds(3600), status: 202)

    let change: SettingsChange

    init(_ call: Call) throws(Problem) {
        _ = try BodyFields(call.body)
        change = SettingsChange(call)
    }

    private static let result = Columns([.text("result")])
    private static let settings = SettingsFields(after: result)
    private static let statement = SettingsChange.statement("test_webhook", selecting: settings)

    var query: Query { change.query(Self.statement) }

    /// It writes nothing, because the organization has no webhook.
    static func readinessQuery(organization: String) -> Query? { query(organization: organization, body: "{}") }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        if let problem = try SettingsChange.problem(row.text(Self.result.first), unless: "requested") { throw problem }
        return .json(Self.settings.body(row), status: 202, disclosing: .recorded)
    }
}
