import PostgreSQL

/// `GET …/settings`: what an administrator has set for the organization, and the state of the webhook.
struct ReadSettings: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/settings"

    let organization: String
    let isAdministrator: Bool

    init(_ call: Call) { (organization, isAdministrator) = (call.organization, call.isAdministrator) }

    private static let settings = SettingsFields()
    private static let statement = Statement(
        name: "settings", sql: "SELECT \(settings.selected) FROM re.settings($1, $2::boolean)")

    /// It is never cached: a change of settings changes no data of the organization, by which caches are invalidated.
    var query: Query { Query(Self.statement, [organization, isAdministrator ? "true" : "false"]) }

    func respond(to rows: QueryResult) throws -> Response { .json(Self.settings.body(try rows.firstRow())) }
}
