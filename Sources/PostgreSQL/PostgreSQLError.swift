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

    public static let queryCanceled = SQLState("57014")
    public static let readOnlyTransaction = SQLState("25006")
    /// An organization's time zone has gone from PostgreSQL (`sql/views/25_zone.sql`, definitions.md section 8).
    public static let unknownTimeZone = SQLState("REZON")
}

/// What can go wrong between the server and the database.
///
/// The texts are for the log alone: they may hold names of the schema, but no value, and no caller may see them.
public enum PostgreSQLError: Error, Sendable {
    /// No connection could be made, or it broke.
    case connectionLost(String)
    /// No connection came free before the deadline.
    case acquireTimeout
    /// The statement ran past its deadline.
    case statementTimeout
    /// The database is there but cannot serve now: starting, stopping, out of resources, read-only.
    case unavailable(SQLState, String)
    /// The database refused the statement.
    case refused(SQLState, String)
    /// A result that is not what the statement promises.
    case unexpectedResult(String)

    /// Whether the database is away or overloaded, so that the same request may succeed later.
    public var isTemporary: Bool {
        switch self {
        case .connectionLost, .acquireTimeout, .statementTimeout, .unavailable: true
        case .refused, .unexpectedResult: false
        }
    }

    /// Every ``kind`` there is.
    public static let kinds = [
        "acquire_timeout", "connection_lost", "refused", "statement_timeout", "unavailable", "unexpected_result",
    ]

    /// A short name of the class of error, for metrics.
    public var kind: String {
        switch self {
        case .connectionLost: "connection_lost"
        case .acquireTimeout: "acquire_timeout"
        case .statementTimeout: "statement_timeout"
        case .unavailable: "unavailable"
        case .refused: "refused"
        case .unexpectedResult: "unexpected_result"
        }
    }

    /// Why a connection could not be made, where that is what it says.
    var reason: String {
        if case .connectionLost(let message) = self { message } else { description }
    }

    /// The error that PostgreSQL's own code stands for.
    init(state: SQLState, message: String) {
        let message = state.mayQuoteAValue ? "its message may quote a value, so that only PostgreSQL logs it" : message
        switch state.conditionClass {
        case _ where state == .queryCanceled: self = .statementTimeout
        case "08": self = .connectionLost(message)
        // The operator or a crash ended the session under the statement, which was rolled back.
        case _ where ["57P01", "57P02"].contains(state.code): self = .connectionLost(message)
        // A setting of the login or database ended it: the session was idle, or idle in a transaction.
        case _ where ["57P05", "25P03"].contains(state.code): self = .connectionLost(message)
        // Such a setting of PostgreSQL 17 and later (transaction_timeout), or a lock that did not come in time.
        case _ where ["25P04", "55P03"].contains(state.code): self = .unavailable(state, message)
        // Resources, the operator, the system, and conflicts that another attempt would not meet.
        case "53", "57", "58", "40": self = .unavailable(state, message)
        // A standby that a failover has not promoted yet.
        case _ where state == .readOnlyTransaction: self = .unavailable(state, message)
        // Until somebody corrects the organization's row, or the zone is back.
        case _ where state == .unknownTimeZone: self = .unavailable(state, message)
        default: self = .refused(state, message)
        }
    }
}

extension PostgreSQLError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .connectionLost(let message): "connection lost: \(message)"
        case .acquireTimeout: "no connection came free in time"
        case .statementTimeout: "the statement ran past its deadline"
        case .unavailable(let state, let message): "unavailable (\(state)): \(message)"
        case .refused(let state, let message): "refused (\(state)): \(message)"
        case .unexpectedResult(let message): "unexpected result: \(message)"
        }
    }
}
