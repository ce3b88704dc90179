/// A statement that every connection prepares once and then runs by name.
///
///     let count = Statement(name: "patient_count", sql: "SELECT count(*) FROM re.patients_of($1)")
///     let rows = try pool.run(Query(count, ["org_1"]), organization: "org_1")
public struct Statement: Sendable, Hashable {
    /// The name of the prepared statement, also used in the log.
    public let name: String
    /// The text, with parameters `$1`, `$2` ….
    public let sql: String

    public init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}

extension Statement {
    /// Columns that reset changes by an earlier statement of the session.
    ///
    /// Such changes are another role, another clock, and locks that outlive their transaction. NULL sets the value that
    /// the session began with. The columns are part of the statement that binds a transaction, so that they cost no
    /// round trip.
    public static let sessionReset = """
        set_config('role', NULL, false), set_config('reengagement.now', NULL, false), pg_advisory_unlock_all()
        """

    /// A statement that binds its transaction to the organization `$1`, for row-level security.
    ///
    /// - Parameters:
    ///   - columns: columns to select before its own.
    ///   - settings: further settings of the transaction.
    public static func binding(
        _ name: String, columns: [String] = [], settings: KeyValuePairs<String, String> = [:]
    ) -> Statement {
        let settings = settings.map { "set_config('\($0.key)', '\($0.value)', true)" }
        let all = columns + ["set_config('reengagement.organization', $1, true)"] + settings + [sessionReset]
        return Statement(name: name, sql: "SELECT " + all.joined(separator: ", "))
    }
}

/// A statement with its parameters, in PostgreSQL's text format. Nil is NULL.
public struct Query: Sendable {
    public let statement: Statement
    public let parameters: [String?]

    public init(_ statement: Statement, _ parameters: [String?] = []) {
        self.statement = statement
        self.parameters = parameters
    }
}
