/// A PostgreSQL error code (PostgreSQL documentation, appendix A), five characters.
public struct SQLState: Sendable, Hashable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) { self.code = code }

    /// The first two characters, which are the class of the error.
    public var conditionClass: Substring { code.prefix(2) }

    public var description: String { code }

    /// True if the message may quote a value, and so a patient's data.
    ///
    /// Messages of class 22 (data exception) do. Those of P0001 are any text that a function raises.
    var mayQuoteAValue: Bool { conditionClass == "22" || conditionClass == "P0" }

    /// True if a statement prepared before a migration may fail with this code and succeed once it is prepared again.
    ///
    /// The migration may have changed the types of a function's columns or parameters, or dropped an object that the
    /// plan uses.
    var mayBeOfAnOutdatedPlan: Bool { ["0A000", "42883", "XX000"].contains(code) }

    public static let readOnlyTransaction = SQLState("25006")
    static let insufficientPrivilege = SQLState("42501")
    /// PostgreSQL does not know an organization's time zone (`sql/views/25_zone.sql`, docs/definitions.md section 8).
    public static let unknownTimeZone = SQLState("REZON")
    /// The login could leave the server's role (`sql/views/40_login.sql`).
    public static let unboundLogin = SQLState("RELOG")
    /// The audit cannot be written (`sql/audit/20_recording.sql`).
    static let auditUnavailable = SQLState("REAUD")
    /// A warning: derived data could not be refreshed, and the plain query computed the response
    /// (`sql/flat/60_refresh_on_read.sql`).
    static let refreshFailed = SQLState("REREF")
}

/// An error between the server and the database.
///
/// The texts are for the log only. They may contain names of the schema but no value, and no client may see them.
public enum PostgreSQLError: Error, Sendable {
    /// No connection could be made, or it broke.
    case connectionLost(String)
    /// The database is reachable and opens no session for the server.
    case noSession(SQLState, String)
    /// No connection became free before the deadline.
    case acquireTimeout
    /// The statement ran past its deadline.
    case statementTimeout
    /// The database is reachable but cannot serve now: starting, stopping, out of resources, read-only.
    case unavailable(SQLState, String)
    /// The database refused the statement.
    case refused(SQLState, String)
    /// The database refused a statement that was prepared earlier, and may accept it once it is prepared again.
    case outdatedPlan(SQLState, String)
    /// The result does not have the statement's shape.
    case unexpectedResult(String)

    /// The cause for responses, metrics and alerts.
    public var cause: DatabaseCause {
        switch self {
        case .connectionLost: .connectionLost
        case .noSession(let state, _):
            // Any other code is caused by the role or a setting in the start-up packet.
            SQLStateTable.line(state).status == 503 ? SQLStateTable.line(state).cause : .loginRefused
        case .acquireTimeout: .acquireTimeout
        case .statementTimeout: .statementTimeout
        case .unavailable(let state, _), .refused(let state, _): SQLStateTable.line(state).cause
        case .outdatedPlan: .conflict
        case .unexpectedResult: .unexpectedResult
        }
    }

    /// The cause's name, for the log and for metrics.
    public var kind: String { cause.rawValue }

    /// True if the same request may succeed later.
    public var isTemporary: Bool { cause != .refused && cause != .unexpectedResult }

    /// The reason of a failed attempt to connect, or the whole description of another error.
    var reason: String {
        switch self {
        case .connectionLost(let message), .noSession(_, let message): message
        default: description
        }
    }

    /// The error for one of PostgreSQL's codes.
    init(state: SQLState, message: String) {
        let message = state.mayQuoteAValue ? "its message may quote a value, so that only PostgreSQL logs it" : message
        let line = SQLStateTable.line(state)
        self =
            switch line.cause {
            case .connectionLost: .connectionLost(message)
            case .statementTimeout: .statementTimeout
            case _ where line.status == 503: .unavailable(state, message)
            default: .refused(state, message)
            }
    }
}

extension PostgreSQLError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .connectionLost(let message): "connection lost: \(message)"
        case .noSession(_, let message): "no session: \(message)"
        case .acquireTimeout: "no connection came free in time"
        case .statementTimeout: "the statement ran past its deadline"
        case .unavailable(let state, let message): "unavailable (\(state)): \(message)"
        case .refused(let state, let message): "refused (\(state)): \(message)"
        case .outdatedPlan(let state, let message): "refused as prepared (\(state)): \(message)"
        case .unexpectedResult(let message): "unexpected result: \(message)"
        }
    }
}

extension PostgreSQLError {
    /// The error of a statement that was prepared earlier.
    var ofPreparedStatement: PostgreSQLError {
        guard case .refused(let state, let message) = self, state.mayBeOfAnOutdatedPlan else { return self }
        return .outdatedPlan(state, message)
    }

    /// The same error with the name of one of several hosts.
    func named(_ host: String) -> PostgreSQLError {
        if case .noSession(let state, let message) = self { return .noSession(state, "\(host): \(message)") }
        return .connectionLost("\(host): \(reason)")
    }

    /// One error for several hosts. A host that refuses is more specific than a host that does not respond.
    static func together(_ failures: [PostgreSQLError]) -> PostgreSQLError {
        let reasons = failures.map(\.reason).joined(separator: "; ")
        for case .noSession(let state, _) in failures { return .noSession(state, reasons) }
        return .connectionLost(reasons)
    }
}
