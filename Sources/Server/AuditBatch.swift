import JSON
import PostgreSQL

/// Entries on their way to the database: one statement, an array for each column.
enum AuditBatch {
    /// Few enough that a statement is far from its deadline, many enough that its round trip and commit hardly count.
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
                array(entries) { AuditText.bounded($0.principal.subject) },
                array(entries) { AuditText.bounded($0.principal.claims.sessionID) },
                array(entries) { AuditText.bounded($0.principal.claims.organizationRole) },
                array(entries) { AuditText.bounded($0.principal.claims.actor) }, array(entries) { $0.address },
                array(entries) { $0.requestID }, array(entries) { $0.method }, array(entries) { $0.route },
                array(entries, bytes: \.filterObject), array(entries, bytes: \.patients),
                array(entries) { $0.serverRequestID }, array(entries) { $0.isAutomatic ? "t" : "f" },
                array(entries) { $0.patientSought }, array(entries) { $0.problem },
            ])
    }

    private static let refusal = Statement(
        name: "keep_refused_entry", sql: "SELECT re.keep_refused_entry($1, $2)")

    /// Keeps one entry that the audit will not have, as JSON, beside what PostgreSQL said of it.
    static func refusal(of entry: AuditEntry, _ error: PostgreSQLError) -> Query {
        let claims = entry.principal.claims
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

    /// The first entries, as many as one statement takes.
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
        for entry in entries {
            if let text = text(entry) { literal.add(text) } else { literal.addNull() }
        }
        return literal.end()
    }

    private static func array(_ entries: ArraySlice<AuditEntry>, bytes: (AuditEntry) -> [UInt8]?) -> String {
        var literal = ArrayLiteral(capacity: 40 * entries.count)
        for entry in entries {
            if let bytes = bytes(entry) { bytes.withUnsafeBytes { literal.add($0) } } else { literal.addNull() }
        }
        return literal.end()
    }
}

extension PostgreSQLError {
    /// PostgreSQL's code, where it is known.
    fileprivate var code: String? {
        switch self {
        case .noSession(let state, _), .unavailable(let state, _), .refused(let state, _): state.code
        default: nil
        }
    }
}

/// The text of a PostgreSQL array in the making (PostgreSQL documentation, section 8.15.2).
struct ArrayLiteral: ~Copyable {
    private var buffer: ByteBuffer

    init(capacity: Int) {
        buffer = ByteBuffer(capacity: capacity)
        buffer.append("{")
    }

    /// Ends the array and returns it.
    mutating func end() -> String {
        buffer.append("}")
        return buffer.text
    }

    mutating func addNull() {
        separate()
        buffer.append("NULL")
    }

    mutating func add(_ element: String) {
        var element = element
        element.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// Adds an element, always quoted.
    mutating func add(_ element: UnsafeRawBufferPointer) {
        separate()
        buffer.append("\"")
        if Self.isPlain(element) {
            buffer.append(element)
        } else {
            for byte in element {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { buffer.append("\\") }
                buffer.append(byte)
            }
        }
        buffer.append("\"")
    }

    /// Looks at all bytes without a branch, so that the compiler takes many at once.
    private static func isPlain(_ element: UnsafeRawBufferPointer) -> Bool {
        element.reduce(0) { $0 | ($1 == UInt8(ascii: "\"") || $1 == UInt8(ascii: "\\") ? 1 : 0) as UInt8 } == 0
    }

    private mutating func separate() {
        if buffer.count > 1 { buffer.append(",") }
    }
}
