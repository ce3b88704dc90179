/// A statement that every connection prepares once and then runs by name.
public struct Statement: Sendable, Hashable {
    /// What it is called on each connection and in the log.
    public let name: String
    /// The text, with parameters `$1`, `$2` ….
    public let sql: String

    public init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}

extension Statement {
    /// Columns that take back whatever a statement before may have left in the session: another role, another now, locks that
    /// outlive their transaction.
    ///
    /// They are in the statement that binds a transaction, so that they cost no round trip; NULL is the value that the session
    /// began with.
    public static let afresh = """
        set_config('role', NULL, false), set_config('reengagement.now', NULL, false), pg_advisory_unlock_all()
        """
}

/// A statement with its parameters, in PostgreSQL's text format; nil is NULL.
public struct Query: Sendable {
    public let statement: Statement
    public let parameters: [String?]

    public init(_ statement: Statement, _ parameters: [String?] = []) {
        self.statement = statement
        self.parameters = parameters
    }
}
