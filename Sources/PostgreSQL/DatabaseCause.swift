/// The reason why the database did not return a result. Responses, metrics and alerts depend on it.
public enum DatabaseCause: String, Sendable, CaseIterable {
    /// No connection became free before the deadline.
    case acquireTimeout = "acquire_timeout"
    /// The audit cannot be written, so that no response may be sent.
    case auditUnavailable = "audit_unavailable"
    /// Concurrent work blocked the statement, by a lock that was not released in time or by a deadlock.
    case conflict
    /// PostgreSQL, or a pooler in front of it, opens no more sessions.
    case connectionLimit = "connection_limit"
    /// No connection could be made, or it broke.
    case connectionLost = "connection_lost"
    /// The database has no disk space left.
    case diskFull = "disk_full"
    /// The login was refused by `pg_hba.conf`, has a wrong password, a missing role or database, or is not bound.
    case loginRefused = "login_refused"
    /// The database is short of memory or descriptors.
    case outOfResources = "out_of_resources"
    /// The database accepts no writes, because it is a standby or a setting forbids them.
    case readOnly = "read_only"
    /// The statement was refused because of an error in the server or the schema.
    case refused
    /// The statement ran past its deadline.
    case statementTimeout = "statement_timeout"
    /// PostgreSQL does not know an organization's time zone (docs/definitions.md section 8).
    case timeZoneUnknown = "time_zone_unknown"
    /// PostgreSQL is starting or stopping, or the system that it runs on fails.
    case unavailable
    /// The result does not have the statement's shape because of an error in the server.
    case unexpectedResult = "unexpected_result"
}

/// The one table from PostgreSQL's error codes to statuses and causes.
///
/// The codes are in PostgreSQL's documentation, appendix A, and the statuses in docs/definitions.md, section 8. The
/// status is 503 if the same request may succeed later: after a temporary error, or after an operator has made room,
/// allowed the login or corrected a row. The status of all other codes is 500.
enum SQLStateTable {
    struct Line: Sendable {
        /// The whole code, or its first two characters for the remaining codes of a class.
        let code: String
        let status: Int
        let cause: DatabaseCause
    }

    static let lines = [
        Line(code: "08", status: 503, cause: .connectionLost),
        // The database is a standby that a failover has not promoted yet, or a setting forbids writes.
        Line(code: "25006", status: 503, cause: .readOnly),
        // A setting of the login or the database ended the session while it was idle, or idle in a transaction.
        Line(code: "25P03", status: 503, cause: .connectionLost),
        Line(code: "57P05", status: 503, cause: .connectionLost),
        // PostgreSQL 17 and later have such a setting for transactions too (transaction_timeout).
        Line(code: "25P04", status: 503, cause: .statementTimeout),
        Line(code: "28", status: 503, cause: .loginRefused),
        Line(code: "3D", status: 503, cause: .loginRefused),
        // An operator has to remove the login's surplus rights.
        Line(code: SQLState.unboundLogin.code, status: 503, cause: .loginRefused),
        Line(code: "40", status: 503, cause: .conflict),
        Line(code: "53100", status: 503, cause: .diskFull),
        Line(code: "53300", status: 503, cause: .connectionLimit),
        Line(code: "53", status: 503, cause: .outOfResources),
        Line(code: "55006", status: 503, cause: .conflict),
        Line(code: "55P03", status: 503, cause: .conflict),
        Line(code: "57014", status: 503, cause: .statementTimeout),
        // The operator or a crash ended the session during the statement, which was rolled back.
        Line(code: "57P01", status: 503, cause: .connectionLost),
        Line(code: "57P02", status: 503, cause: .connectionLost),
        Line(code: "57", status: 503, cause: .unavailable),
        Line(code: "58", status: 503, cause: .unavailable),
        Line(code: "72", status: 503, cause: .conflict),
        // An operator has to repair the audit.
        Line(code: SQLState.auditUnavailable.code, status: 503, cause: .auditUnavailable),
        // An operator has to correct the organization's row, or to restore the zone.
        Line(code: SQLState.unknownTimeZone.code, status: 503, cause: .timeZoneUnknown),
    ]

    private static let other = Line(code: "", status: 500, cause: .refused)

    static func line(_ state: SQLState) -> Line {
        lines.first { $0.code == state.code } ?? lines.first { $0.code == state.conditionClass } ?? other
    }
}
