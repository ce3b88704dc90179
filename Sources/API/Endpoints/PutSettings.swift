import PostgreSQL
import Webhook

/// `PUT …/settings`: replaces the given sections of the organization's settings, and leaves the others.
///
/// A request that gives no section changes nothing.
struct PutSettings: Endpoint {
    static let method = Method.put
    static let path: StaticString = "/api/v1/reengagement/{org_id}/settings"
    /// False, because a repetition would not show the secret of a webhook that the first request made.
    static let isRepeatable = false
    static let isForAdministrators = true

    let change: SettingsChange
    let webhook: Section<WebhookAddress?>
    let digest: Section<DigestSetting>
    let sending: Section<SendingSetting>

    init(_ call: Call) throws(Problem) {
        var fields = try BodyFields(call.body)
        webhook = fields.section("webhook") { fields in
            Self.address(&fields, allowsPrivate: call.webhooks.allowsPrivate)
        }
        digest = fields.section("digest") { fields in DigestSetting(&fields) }
        sending = fields.section("sending") { fields in SendingSetting(&fields) }
        try fields.errors.check()
        change = SettingsChange(call)
    }

    /// The URL of the webhook. The server's own members of the section are not read.
    private static func address(_ fields: inout BodyFields, allowsPrivate: Bool) -> WebhookAddress? {
        let text = fields.text("url", of: 1...WebhookAddress.longest)
        guard !text.isEmpty else { return nil }
        do throws(WebhookAddress.Invalid) {
            return try WebhookAddress(text, allowsPrivate: allowsPrivate)
        } catch {
            fields.errors.add("url", error.text)
            return nil
        }
    }

    private static let result = Columns([.text("result"), .number("secret_version")])
    private static let settings = SettingsFields(after: result)
    private static let statement = Statement(
        name: "put_settings",
        sql: """
            SELECT \(settings.selected)
            FROM re.put_settings($1, $2, $3, $4, $5, $6, $7::boolean, $8, $9, $10, $11, $12, $13)
            """)

    var query: Query {
        Query(
            Self.statement,
            [
                change.organization, sections, webhook.value??.text, digest.value?.json, sending.value?.json,
                change.subject, change.maySign,
            ] + change.recorded)
    }

    /// The names of the given sections, comma-separated.
    private var sections: String {
        [("webhook", webhook.isGiven), ("digest", digest.isGiven), ("sending", sending.isGiven)]
            .filter(\.1).map(\.0).joined(separator: ",")
    }

    /// It writes nothing, because it gives no section.
    static func readinessQuery(organization: String) -> Query? { query(organization: organization, body: "{}") }

    var filter: [(name: StaticString, value: String)] { [("sections", sections)] }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        if let problem = try SettingsChange.problem(row.text(Self.result.first), unless: "stored") { throw problem }
        let secret = try row.int("secret_version", of: Self.result).map { try change.secret(version: $0) }
        // Only a change has been recorded by the statement that made it.
        return .json(
            Self.settings.body(row, secret: secret), disclosing: sections.isEmpty ? .nobody : .recorded)
    }
}
