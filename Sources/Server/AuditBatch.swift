import JSON
import PostgreSQL

/// The statement that stores many entries at once, with one array per column.
enum AuditBatch {
    /// Limits that keep a statement far below its timeout and make its round trip and commit negligible.
    static let mostEntries = 1000
    static let mostBytes = 1 << 20

    private static let statement = Statement(
        name: "record_access",
        sql: """
            SELECT re.record_access($1::float8[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::boolean[],
                $16::text[], $17::text[])
            """)

    static func query(_ entries: ArraySlice<AuditEntry>) -> Query {
        Query(
            statement,
            [
                array(entries) { "\($0.time)" }, array(entries) { String($0.status) },
                array(entries) { AuditText.bounded($0.organization) },
                array(entries) { AuditText.bounded($0.claims.subject) },
                array(entries) { AuditText.bounded($0.claims.sessionID) },
                array(entries) { AuditText.bounded($0.claims.organizationRole) },
                array(entries) { AuditText.bounded($0.claims.actor) }, array(entries) { $0.address },
                array(entries) { $0.requestID }, array(entries) { $0.method }, array(entries) { $0.route },
                array(entries, bytes: \.filterObject), array(entries, bytes: \.patients),
                array(entries) { $0.serverRequestID }, array(entries) { $0.isAutomatic ? "t" : "f" },
                array(entries) { $0.patientSought }, array(entries) { $0.problem },
            ])
    }

    private static let refusal = Statement(
        name: "keep_refused_entry", sql: "SELECT re.keep_refused_entry($1, $2)")

    /// Stores an entry that the audit table refused, as JSON with the SQLSTATE.
    static func refusal(of entry: AuditEntry, _ error: PostgreSQLError) -> Query {
        let claims = entry.claims
        let texts: [(StaticString, String?)] = [
            ("time", "\(entry.time)"), ("status", "\(entry.status)"), ("organization_id", entry.organization),
            ("subject", claims.subject), ("session_id", claims.sessionID), ("role", claims.organizationRole),
            ("actor", claims.actor), ("address", entry.address), ("request_id", entry.requestID),
            ("method", entry.method), ("route", entry.route),
            ("filter", entry.filterObject.map { String(decoding: $0, as: UTF8.self) }),
            ("patient_ids", entry.patients.map { String(decoding: $0, as: UTF8.self) }),
            ("server_request_id", entry.serverRequestID), ("automatic", entry.isAutomatic ? "true" : "false"),
            ("patient_sought", entry.patientSought), ("problem", entry.problem),
        ]
        var writer = JSONWriter(capacity: 1024)
        writer.object { writer in
            for case (let name, let text?) in texts { writer.member(name, string: text) }
        }
        return Query(refusal, [error.code ?? error.kind, String(decoding: writer.bytes, as: UTF8.self)])
    }

    /// The first entries that fit in one statement. At least one.
    static func prefix(of entries: ArraySlice<AuditEntry>) -> ArraySlice<AuditEntry> {
        var bytes = 0
        let fitting = entries.prefix(mostEntries).prefix { entry in
            bytes += entry.size
            return bytes <= mostBytes
        }
        return fitting.isEmpty ? entries.prefix(1) : fitting
    }

    private static func array(_ entries: ArraySlice<AuditEntry>, _ text: (AuditEntry) -> String?) -> String {
        var literal = ArrayLiteral(capacity: 40 * entries.count)
        for entry in entries { literal.append(text(entry)) }
        return literal.text
    }

    private static func array(_ entries: ArraySlice<AuditEntry>, bytes: (AuditEntry) -> [UInt8]?) -> String {
        var literal = ArrayLiteral(capacity: 40 * entries.count)
        for entry in entries {
            if let bytes = bytes(entry) { bytes.withUnsafeBytes { literal.append($0) } } else { literal.appendNull() }
        }
        return literal.text
    }
}

extension PostgreSQLError {
    /// The SQLSTATE, if it is known.
    fileprivate var code: String? {
        switch self {
        case .noSession(let state, _), .unavailable(let state, _), .refused(let state, _): state.code
        default: nil
        }
    }
}
