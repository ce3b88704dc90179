import PostgreSQL

/// `POST …/settings/webhook/rotate`: replaces the secret of the webhook, and shows the new one.
struct RotateWebhook: Endpoint {
    static let method = Method.post
    static let path: StaticString = "/api/v1/reengagement/{org_id}/settings/webhook/rotate"
    static let isRepeatable = false
    static let isForAdministrators = true
    static let body = BodyRule.undefined

    let change: SettingsChange

    init(_ call: Call) throws(Problem) {
        _ = try BodyFields(call.body)
        change = SettingsChange(call)
    }

    private static let result = Columns([.text("result"), .number("secret_version")])
    private static let settings = SettingsFields(after: result)
    private static let statement = SettingsChange.statement("rotate_webhook", selecting: settings)

    var query: Query { change.query(Self.statement) }

    /// It writes nothing, because the organization has no webhook.
    static func readinessQuery(organization: String) -> Query? { query(organization: organization, body: "{}") }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        if let problem = try SettingsChange.problem(row.text(Self.result.first), unless: "rotated") { throw problem }
        guard let version = row.int("secret_version", of: Self.result) else {
            throw EndpointError(description: "rotate_webhook returned no version")
        }
        return .json(Self.settings.body(row, secret: try change.secret(version: version)), disclosing: .recorded)
    }
}
