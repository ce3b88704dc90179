import PostgreSQL
import Threads

/// Whether the database had no room for what was last posted.
///
/// Reads may go on meanwhile, so nothing but a post notices it where the audit and the derived data lie elsewhere.
final class FailedWrites: Sendable {
    private static let remembered = Duration.seconds(60)

    private let last = Monitor<(error: PostgreSQLError, at: ContinuousClock.Instant)?>(nil)

    /// Runs what writes, and remembers how it went.
    func watch<Result>(_ write: () throws(PostgreSQLError) -> Result) throws(PostgreSQLError) -> Result {
        do throws(PostgreSQLError) {
            let result = try write()
            last.withLock { $0 = nil }
            return result
        } catch {
            if error.cause == .diskFull { last.withLock { $0 = (error, .now) } }
            throw error
        }
    }

    /// Why the last write failed, for a minute.
    var trouble: PostgreSQLError? {
        last.withLock { last in last.flatMap { $0.at + Self.remembered > .now ? $0.error : nil } }
    }
}
