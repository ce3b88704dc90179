import JSON
import PostgreSQL
import Webhook

/// The columns of an organization's settings, and the response that they become.
struct SettingsFields {
    private let url: Columns
    private let state: Columns
    private let sections: Columns

    /// - Parameter previous: the group of columns before these. Nil for the first.
    init(after previous: Columns? = nil) {
        url = Columns([.text("url")], prefix: "webhook_", after: previous)
        state = Columns([.text("failing_since"), .number("last_status"), .json("last_test")], after: url)
        sections = Columns(
            [.json("digest"), .json("sending"), .text("updated_by"), .text("updated_at")], after: state)
    }

    /// The SQL list of these columns and those before them.
    var selected: String { sections.selected }

    /// The body of a response.
    ///
    /// - Parameter secret: the secret of the webhook, if the response is to show it.
    func body(_ row: Row, secret: WebhookSecret? = nil) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writer.object { writer in
            if row.isNull(url.first) {
                writer.name("webhook")
                writer.null()
            } else {
                writer.object("webhook") { writer in
                    writer.members(url, of: row)
                    writer.members(state, of: row)
                    if let secret { writer.member("secret", string: secret.text) }
                }
            }
            writer.members(sections, of: row)
        }
        return writer.bytes
    }
}

/// What the endpoints that change settings have in common.
struct SettingsChange {
    let organization: String
    let subject: String
    let keys: SecretKeys?
    /// Values about the request that the database stores in the audit.
    let recorded: [String?]

    init(_ call: Call) {
        (organization, subject, keys) = (call.organization, call.subject, call.webhooks.keys)
        recorded = call.recorded
    }

    /// The parameter that says whether this server can sign webhooks.
    var maySign: String { keys == nil ? "false" : "true" }

    /// The statement of an endpoint that changes the webhook and has no field.
    static func statement(_ name: String, selecting settings: SettingsFields) -> Statement {
        Statement(
            name: name, sql: "SELECT \(settings.selected) FROM re.\(name)($1, $2, $3::boolean, $4, $5, $6, $7, $8, $9)")
    }

    /// Runs such a statement.
    func query(_ statement: Statement) -> Query { Query(statement, [organization, subject, maySign] + recorded) }

    /// The secret of a version, by the newest key.
    func secret(version: Int) throws -> WebhookSecret {
        guard let secret = keys?.webhookSecrets(organization: organization, version: version)?.first else {
            throw EndpointError(description: "the secret of a webhook could not be computed")
        }
        return secret
    }

    /// The problem that a result of the database stands for. Nil for a change that was made.
    static func problem(_ result: String?, unless done: String) throws -> Problem? {
        switch result {
        case done: nil
        case "no_webhook": .noWebhook
        case "no_keys": .webhookKeysMissing
        case "sms_from_taken": .smsNumberTaken
        default: throw EndpointError(description: "a change of settings answered \(result ?? "NULL")")
        }
    }
}
