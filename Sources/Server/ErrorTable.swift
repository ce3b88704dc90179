import API
import JWT
import PostgreSQL

/// The only mapping from the errors of other parts to responses (definitions.md section 8).
extension Problem {
    /// The response to a token that was refused.
    init(_ error: TokenError) {
        switch error {
        case .invalid(let rule): self = .unauthorized(rule.kind, rule.text)
        case .keysUnavailable, .keyNotYetFetched:
            self = .unavailable(
                .keysUnavailable, "No signing key of Clerk's has been fetched yet, or none for too long.", retryAfter: 5
            )
        }
    }

    /// The response to a database error. The error's own text is only logged.
    ///
    /// - Parameter isReadiness: whether the request was for `/ready`.
    init(_ error: PostgreSQLError, isReadiness: Bool) {
        self =
            switch (error.isTemporary, isReadiness) {
            case (true, _): .database(error.cause)
            case (false, true):
                .unavailable(.notReady, "Requests cannot be answered, or not recorded; the server's log says why.")
            case (false, false): .internalError
            }
    }

    /// The response to a request that waited too long for a worker thread.
    static let serverBusy = Problem.unavailable(
        .serverBusy, "More requests than can be answered; try again shortly.")

    /// The response instead of one that the audit could not record.
    static let unrecorded = Problem.unavailable(
        .auditUnavailable, "The answer could not be recorded in the audit; try again shortly.")

    private static func database(_ cause: DatabaseCause) -> Problem {
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

extension TokenError.Rule {
    /// The kind of problem. Only rules that a client can handle differently have their own kind.
    fileprivate var kind: ProblemKind {
        switch self {
        case .expired: .tokenExpired
        case .notYetValid, .issuedInTheFuture: .tokenNotYetValid
        case .sessionPending: .sessionPending
        default: .tokenInvalid
        }
    }
}
