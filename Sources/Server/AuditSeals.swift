import Logging
import PostgreSQL
import Threads

/// Has the audit's entries sealed as they come (docs/audit.md), and names each seal in the log.
///
/// Where the log is collected elsewhere, its line proves what the chain was then, whatever is done to the database.
final class AuditSeals: Sendable {
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// How long an entry may be without a seal, on a system that writes; the servers take turns.
    static let pause = Duration.seconds(5)
    static let pauseAfterFailure = Duration.seconds(60)

    /// At the end, how long what was written last may take, and how long between two tries: any short transaction of the
    /// cluster may be in the way.
    private static let longestAtEnd = Duration.seconds(1)
    private static let pauseAtEnd = Duration.milliseconds(50)

    private static let seal = Statement(
        name: "seal_audit",
        sql:
            "SELECT number, digest, entries, remaining, ceil(unsealed_seconds)::bigint FROM re.seal_audit($1::interval)"
    )

    private let database: Database
    private let logger: Logger
    private let started = ContinuousClock.now
    /// Before when every entry has a seal; nil until the database has said so.
    private let allSealedBy = Monitor<ContinuousClock.Instant?>(nil)
    private let due = Monitor(ContinuousClock.now)

    init(database: @escaping Database, logger: Logger) {
        (self.database, self.logger) = (database, logger)
    }

    /// For how long the oldest entry has been without a seal, as far as is known.
    var age: Duration { (allSealedBy.withLock { $0 } ?? started).duration(to: .now) }

    /// Has sealed what can be sealed, where it is time for that; called every second.
    func lookAfter() {
        guard due.withLock({ $0 <= .now }) else { return }
        do throws(PostgreSQLError) {
            let isMore = try sealOnce(pause: "4 s").isMore
            due.withLock { $0 = .now + (isMore ? .zero : Self.pause) }
        } catch {
            logger.warning("the audit could not be sealed", metadata: ["class": "\(error.kind)", "reason": "\(error)"])
            due.withLock { $0 = .now + Self.pauseAfterFailure }
        }
    }

    /// Has sealed what was written last, when nothing more will be: nobody may come after who would.
    func finish(by deadline: ContinuousClock.Instant) {
        let end = min(deadline, .now + Self.longestAtEnd)
        guard .now < end else { return }
        let done = Monitor(false)
        // A statement may take longer than a stop.
        let thread = try? Thread.start { [self] in
            while ContinuousClock.now < end, (try? sealOnce(pause: "0").isAll) == false {
                _ = done.wait(until: .now + Self.pauseAtEnd) { $0 ? true : nil }
            }
            done.withLock { $0 = true }
            done.notifyAll()
        }
        guard let thread else { return }
        thread.detach()
        _ = done.wait(until: end) { $0 ? true : nil }
    }

    /// Returns whether more can be sealed at once, and whether all is sealed that there is.
    private func sealOnce(pause: String) throws(PostgreSQLError) -> (isMore: Bool, isAll: Bool) {
        let asked = ContinuousClock.now
        let row = try database(Query(Self.seal, [pause]))[0]
        // Another server is at it, who will tell.
        if let age = row.int(4) {
            allSealedBy.withLock { $0 = max($0 ?? asked - .seconds(age), asked - .seconds(age)) }
        }
        if let number = row.int(0), let digest = row.text(1) {
            logger.info(
                "the audit has been sealed",
                metadata: ["number": "\(number)", "digest": "\(digest)", "entries": "\(row.int(2) ?? 0)"])
        }
        return (row.text(3) == "t", row.int(4) == 0)
    }
}
