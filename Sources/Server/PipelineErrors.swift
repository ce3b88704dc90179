import API
import Logging
import PostgreSQL

/// The only place that turns errors into responses, and that logs the errors that no client has caused.
extension Pipeline {
    /// Runs `body`, and turns an error into its response.
    func respond(
        _ incoming: Incoming, _ record: inout RequestRecord, with body: (inout RequestRecord) throws -> Response?
    ) -> Response? {
        do {
            return try body(&record)
        } catch {
            let problem = problem(for: error, incoming, &record)
            record.problem = problem
            return problem.response(requestID: incoming.requestID)
        }
    }

    private func problem(for error: any Error, _ incoming: Incoming, _ record: inout RequestRecord) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as PostgreSQLError:
            record.databaseError = error.kind
            let (level, message): (Logger.Level, Logger.Message) =
                error.isTemporary
                ? (.warning, "the database could not answer") : (.error, "the database refused a statement")
            log(level, message, error, incoming, record, ["class": "\(error.kind)"])
            return Problem(error, isReadiness: record.route == "/ready")
        default:
            log(.error, "an unforeseen error", error, incoming, record)
            return .internalError
        }
    }

    private func log(
        _ level: Logger.Level, _ message: Logger.Message, _ error: any Error, _ incoming: Incoming,
        _ record: RequestRecord, _ more: Logger.Metadata = [:]
    ) {
        var metadata = more
        metadata["request_id"] = "\(incoming.requestID)"
        metadata["server_request_id"] = "\(incoming.serverRequestID)"
        metadata["route"] = "\(record.route ?? "none")"
        metadata["reason"] = "\(error)"
        logger.log(level: level, message, metadata: metadata)
    }
}
