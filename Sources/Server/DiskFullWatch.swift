import PostgreSQL
import Threads

/// Remembers whether the last write failed because the database's disk is full.
///
/// Reads may succeed meanwhile. If the audit and the derived data are on another disk, only a write shows the problem.
final class DiskFullWatch: Sendable {
    private static let remembered = Duration.seconds(60)

    private let last = Monitor<(error: PostgreSQLError, at: ContinuousClock.Instant)?>(nil)

    /// Runs a write and remembers its result.
    func run<Result>(_ write: () throws(PostgreSQLError) -> Result) throws(PostgreSQLError) -> Result {
        do throws(PostgreSQLError) {
            let result = try write()
            last.withLock { $0 = nil }
            return result
        } catch {
            if error.cause == .diskFull { last.withLock { $0 = (error, .now) } }
            throw error
        }
    }

    /// The error of the last write if its disk was full, for a minute after it.
    var trouble: PostgreSQLError? {
        last.withLock { last in last.flatMap { $0.at + Self.remembered > .now ? $0.error : nil } }
    }
}
