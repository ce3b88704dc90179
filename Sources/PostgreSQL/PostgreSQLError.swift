/// A PostgreSQL error code (PostgreSQL documentation, appendix A), five characters.
public struct SQLState: Sendable, Hashable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) { self.code = code }

    /// The first two characters: the class of the condition.
    public var conditionClass: Substring { code.prefix(2) }

    public var description: String { code }

    /// Whether the message that comes with it may quote a value, and so a patient's data: those of class 22 (data
    /// exception) do, and P0001 says whatever a function raises.
    var mayQuoteAValue: Bool { conditionClass == "22" || conditionClass == "P0" }

    /// Whether a statement that was prepared before a migration may fail with it, and no longer if it is prepared again: its
    /// columns have other types, its function other parameters, or what it was planned with has been dropped.
    var mayBeOfAnOutdatedPlan: Bool { ["0A000", "42883", "XX000"].contains(code) }

    public static let readOnlyTransaction = SQLState("25006")
    static let insufficientPrivilege = SQLState("42501")
    /// An organization's time zone has gone from PostgreSQL (`sql/views/25_zone.sql`, definitions.md section 8).
    public static let unknownTimeZone = SQLState("REZON")
    /// The login could lay the server's role aside (`sql/views/40_login.sql`).
    public static let unboundLogin = SQLState("RELOG")
    /// The audit keeps no entry (`sql/audit/20_recording.sql`).
    static let auditUnavailable = SQLState("REAUD")
    /// A warning: derived data could not be brought up to date, and the answer is the plain one (`sql/flat/60_refresh_on_read.sql`).
    static let refreshFailed = SQLState("REREF")
}

/// What can go wrong between the server and the database.
///
/// The texts are for the log alone: they may hold names of the schema, but no value, and no caller may see them.
public enum PostgreSQLError: Error, Sendable {
    /// No connection could be made, or it broke.
    case connectionLost(String)
    /// The database is there and opens no session for us.
    case noSession(SQLState, String)
    /// No connection came free before the deadline.
    case acquireTimeout
    /// The statement ran past its deadline.
    case statementTimeout
    /// The database is there but cannot serve now: starting, stopping, out of resources, read-only.
    case unavailable(SQLState, String)
    /// The database refused the statement.
    case refused(SQLState, String)
    /// The database refused a statement that was prepared earlier, and may take it once it is prepared again.
    case outdatedPlan(SQLState, String)
    /// A result that is not what the statement promises.
    case unexpectedResult(String)

    /// Why the database did not answer.
    public var cause: DatabaseCause {
        switch self {
        case .connectionLost: .connectionLost
        case .noSession(let state, _):
            // Whatever else keeps a session from being opened, the role or a setting in its start-up packet does.
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

    /// Whether the same request may succeed later.
    public var isTemporary: Bool { cause != .refused && cause != .unexpectedResult }

    /// Why a connection could not be made, where that is what it says.
    var reason: String {
        switch self {
        case .connectionLost(let message), .noSession(_, let message): message
        default: description
        }
    }

    /// The error that PostgreSQL's own code stands for.
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
    /// The same of a statement that was prepared earlier.
    var ofPreparedStatement: PostgreSQLError {
        guard case .refused(let state, let message) = self, state.mayBeOfAnOutdatedPlan else { return self }
        return .outdatedPlan(state, message)
    }

    /// The same, told of one of several hosts.
    func named(_ host: String) -> PostgreSQLError {
        if case .noSession(let state, let message) = self { return .noSession(state, "\(host): \(message)") }
        return .connectionLost("\(host): \(reason)")
    }

    /// Of several hosts, one that is there and refuses says more than those that are not there.
    static func together(_ failures: [PostgreSQLError]) -> PostgreSQLError {
        let reasons = failures.map(\.reason).joined(separator: "; ")
        for case .noSession(let state, _) in failures { return .noSession(state, reasons) }
        return .connectionLost(reasons)
    }
}
