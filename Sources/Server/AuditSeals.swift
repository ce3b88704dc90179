import Logging
import PostgreSQL
import Threads

/// Seals the audit's entries every few seconds (docs/audit.md), and logs each seal.
///
/// If another machine collects the log, its lines also prove the chain after changes of the database.
final class AuditSeals: Sendable {
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// The interval between two seals of the cluster. Several servers share the work.
    static let pause = Duration.seconds(5)
    static let pauseAfterFailure = Duration.seconds(60)

    /// At the stop, the time for the last seals and the pause between two attempts. An entry can be sealed only once
    /// the cluster has no older open transaction.
    private static let longestAtEnd = Duration.seconds(1)
    private static let pauseAtEnd = Duration.milliseconds(50)

    private enum Column: Int, SelectedColumn {
        case number, digest, entries, remaining, age
    }

    private static let seal = Statement(
        name: "seal_audit",
        sql: """
            SELECT \(Column.selected)
            FROM re.seal_audit($1::interval) CROSS JOIN LATERAL (SELECT ceil(unsealed_seconds)::bigint AS age) unsealed
            """)

    private let database: Database
    private let logger: Logger
    private let started = ContinuousClock.now
    /// All entries before this instant are sealed. Nil until the database has reported an age.
    private let allSealedBy = Monitor<ContinuousClock.Instant?>(nil)
    private let due = Monitor(ContinuousClock.now)

    init(database: @escaping Database, logger: Logger) {
        (self.database, self.logger) = (database, logger)
    }

    /// The time that the oldest unsealed entry has waited, as last reported.
    var age: Duration { (allSealedBy.withLock { $0 } ?? started).duration(to: .now) }

    /// Seals the entries that can be sealed, if a seal is due. Called every second.
    func sealIfDue() {
        guard due.withLock({ $0 <= .now }) else { return }
        do throws(PostgreSQLError) {
            let isMore = try sealOnce(pause: "4 s").isMore
            due.withLock { $0 = .now + (isMore ? .zero : Self.pause) }
        } catch {
            logger.warning("the audit could not be sealed", metadata: ["class": "\(error.kind)", "reason": "\(error)"])
            due.withLock { $0 = .now + Self.pauseAfterFailure }
        }
    }

    /// Seals the last entries, since this may be the last server that runs.
    func finish(by deadline: ContinuousClock.Instant) {
        let end = min(deadline, .now + Self.longestAtEnd)
        guard .now < end else { return }
        // A separate thread, because a statement may take longer than the time for the stop.
        let loop = ThreadLoop()
        do {
            try loop.start(for: "the last seal") { [self] in
                guard .now < end, (try? sealOnce(pause: "0").isAll) == false else { return .never }
                return .after(Self.pauseAtEnd)
            }
        } catch {
            return
        }
        loop.waitUntilEnded(end)
    }

    /// Returns whether more can be sealed at once, and whether every entry has a seal.
    private func sealOnce(pause: String) throws(PostgreSQLError) -> (isMore: Bool, isAll: Bool) {
        let asked = ContinuousClock.now
        let row = try database(Query(Self.seal, [pause]))[0]
        // NULL while another server seals. That server reports the age.
        if let age = row.int(Column.age) {
            allSealedBy.withLock { $0 = max($0 ?? asked - .seconds(age), asked - .seconds(age)) }
        }
        if let number = row.int(Column.number), let digest = row.text(Column.digest) {
            logger.info(
                "the audit has been sealed",
                metadata: [
                    "number": "\(number)", "digest": "\(digest)", "entries": "\(row.int(Column.entries) ?? 0)",
                ])
        }
        return (row.bool(Column.remaining) ?? false, row.int(Column.age) == 0)
    }
}
