import PostgreSQL
import Threads

/// Whether the database had no room for the last write.
///
/// Reads may work meanwhile. If the audit and the derived data are on another disk, only a write shows it.
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

    /// Why the last write failed, for a minute after it.
    var trouble: PostgreSQLError? {
        last.withLock { last in last.flatMap { $0.at + Self.remembered > .now ? $0.error : nil } }
    }
}
