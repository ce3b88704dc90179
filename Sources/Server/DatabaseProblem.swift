import API
import PostgreSQL

extension Problem {
    /// Nothing is answered that cannot be recorded.
    static let unrecorded = Problem.unavailable(
        .auditUnavailable, "The answer could not be recorded in the audit; try again shortly.")

    /// What a caller is told of a database that could not answer (definitions.md section 8), by its cause.
    static func database(_ cause: DatabaseCause) -> Problem {
        switch cause {
        case .acquireTimeout:
            .unavailable(.databaseBusy, "All database connections are busy; try again shortly.")
        case .conflict:
            .unavailable(.databaseBusy, "Other work in the database is in the way; try again shortly.")
        case .statementTimeout: .unavailable(.statementTimeout, "The database took too long; try again shortly.")
        case .timeZoneUnknown: .unknownTimeZone
        case .connectionLost, .unavailable: .unavailable(.databaseAway, "The database is away; try again shortly.")
        case .connectionLimit:
            .unavailable(.databaseAtLimit, "The database takes no more connections; try again shortly.")
        case .outOfResources:
            .unavailable(.databaseAtLimit, "The database is short of memory or descriptors; try again shortly.")
        case .diskFull:
            .unavailable(
                .databaseDiskFull, "The database has no room left to write; its operator has to make some.",
                retryAfter: 5)
        case .readOnly:
            .unavailable(
                .databaseReadOnly, "The database takes no writes at present; reads are answered.", retryAfter: 5)
        case .loginRefused:
            .unavailable(
                .databaseRefusesLogin, "The database refuses this service's login; its operator has to let it in.",
                retryAfter: 5)
        case .auditUnavailable: .unrecorded
        case .refused, .unexpectedResult: .internalError
        }
    }
}
