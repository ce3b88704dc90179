/// Why the database did not answer. Responses, metrics and alerts depend on it.
public enum DatabaseCause: String, Sendable, CaseIterable {
    /// No connection came free before the deadline.
    case acquireTimeout = "acquire_timeout"
    /// The audit cannot be written, so that no response may be sent.
    case auditUnavailable = "audit_unavailable"
    /// Concurrent work blocks the statement: a lock that is not released in time, a deadlock.
    case conflict
    /// PostgreSQL, or a pooler before it, opens no more sessions.
    case connectionLimit = "connection_limit"
    /// No connection could be made, or it broke.
    case connectionLost = "connection_lost"
    /// There is no room left to write.
    case diskFull = "disk_full"
    /// `pg_hba.conf`, a password, a missing role or database, a login that is not bound.
    case loginRefused = "login_refused"
    /// Memory or descriptors are short.
    case outOfResources = "out_of_resources"
    /// The database takes no writes: a standby, or a setting.
    case readOnly = "read_only"
    /// The statement was refused: a fault of ours, or of the schema.
    case refused
    /// The statement ran past its deadline.
    case statementTimeout = "statement_timeout"
    /// PostgreSQL does not know an organization's time zone (definitions.md section 8).
    case timeZoneUnknown = "time_zone_unknown"
    /// It is starting or stopping, or its system fails.
    case unavailable
    /// The result does not have the statement's shape: an error of the server.
    case unexpectedResult = "unexpected_result"
}

/// The one table from PostgreSQL's codes to statuses and causes (PostgreSQL documentation, appendix A; definitions.md
/// section 8).
///
/// 503 is an error that passes by itself or once an operator has made room, allowed the login or corrected a row, so
/// that the same request may succeed later. All other codes are 500.
enum SQLStateTable {
    struct Line: Sendable {
        /// The whole code, or its first two characters for the rest of a class.
        let code: String
        let status: Int
        let cause: DatabaseCause
    }

    static let lines = [
        Line(code: "08", status: 503, cause: .connectionLost),
        // A standby that a failover has not promoted yet, or a setting.
        Line(code: "25006", status: 503, cause: .readOnly),
        // A setting of the login or database ended the session: it was idle, or idle in a transaction.
        Line(code: "25P03", status: 503, cause: .connectionLost),
        Line(code: "57P05", status: 503, cause: .connectionLost),
        // Such a setting of PostgreSQL 17 and later (transaction_timeout).
        Line(code: "25P04", status: 503, cause: .statementTimeout),
        Line(code: "28", status: 503, cause: .loginRefused),
        Line(code: "3D", status: 503, cause: .loginRefused),
        // Until an operator removes the login's surplus rights.
        Line(code: SQLState.unboundLogin.code, status: 503, cause: .loginRefused),
        Line(code: "40", status: 503, cause: .conflict),
        Line(code: "53100", status: 503, cause: .diskFull),
        Line(code: "53300", status: 503, cause: .connectionLimit),
        Line(code: "53", status: 503, cause: .outOfResources),
        Line(code: "55006", status: 503, cause: .conflict),
        Line(code: "55P03", status: 503, cause: .conflict),
        Line(code: "57014", status: 503, cause: .statementTimeout),
        // The operator or a crash ended the session under the statement, which was rolled back.
        Line(code: "57P01", status: 503, cause: .connectionLost),
        Line(code: "57P02", status: 503, cause: .connectionLost),
        Line(code: "57", status: 503, cause: .unavailable),
        Line(code: "58", status: 503, cause: .unavailable),
        Line(code: "72", status: 503, cause: .conflict),
        // Until an operator repairs the audit.
        Line(code: SQLState.auditUnavailable.code, status: 503, cause: .auditUnavailable),
        // Until an operator corrects the organization's row, or the zone is back.
        Line(code: SQLState.unknownTimeZone.code, status: 503, cause: .timeZoneUnknown),
    ]

    private static let other = Line(code: "", status: 500, cause: .refused)

    static func line(_ state: SQLState) -> Line {
        lines.first { $0.code == state.code } ?? lines.first { $0.code == state.conditionClass } ?? other
    }
}
