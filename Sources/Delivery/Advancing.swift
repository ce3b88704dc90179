internal import Logging
internal import PostgreSQL
internal import Threads

/// Refreshes the derived data of organizations with a webhook or a digest. Notices for a webhook are to be written
/// within 10 s.
///
/// The servers do it for all organizations in turn. After midnight, or while no server runs, that would be late.
final class Advancing: Sendable {
    private let database: SenderDatabase
    private let logger: Logger
    private let loop = ThreadLoop()
    /// The organizations whose refresh has failed, with the time of the next attempt.
    private let failed = Monitor<[String: ContinuousClock.Instant]>([:])

    private static let pause = Duration.seconds(2)
    private static let pauseAfterFailure = Duration.seconds(10)
    private static let pauseOfFailed = Duration.seconds(60)
    private static let organizationsAtOnce = 100
    /// As in the server's background work.
    private static let chunk = 1000
    /// The maximum time for one organization before the next one.
    private static let turn = Duration.seconds(1)

    private enum DueColumn: Int, SelectedColumn {
        case organization
    }

    private enum AdvanceColumn: Int, SelectedColumn {
        case remaining
    }

    private static let due = Statement(
        name: "organizations_to_send",
        sql: "SELECT \(DueColumn.selected) FROM re.organizations_to_send($1::int) AS organization")
    private static let advance = Statement(
        name: "advance_to_send", sql: "SELECT \(AdvanceColumn.selected) FROM re.advance($1, $2::int)")

    init(database: SenderDatabase, logger: Logger) { (self.database, self.logger) = (database, logger) }

    func start() throws(Thread.StartError) {
        try loop.start(for: "the notices") { [self] in .after(advanceAll()) }
    }

    func stop() { loop.stop() }

    @discardableResult
    func waitUntilEnded(_ deadline: ContinuousClock.Instant) -> Bool { loop.waitUntilEnded(deadline) }

    private func advanceAll() -> Duration {
        let due: [String]
        do throws(PostgreSQLError) {
            due = try database.ask(Query(Self.due, [String(Self.organizationsAtOnce)])).rows
                .compactMap { $0.text(DueColumn.organization) }
        } catch {
            logger.warning("the organizations to send to could not be read", metadata: error.metadata)
            return Self.pauseAfterFailure
        }
        failed.withLock { failed in failed = failed.filter { $0.value > .now } }
        for organization in due where !loop.isStopped && failed.withLock({ $0[organization] == nil }) {
            do throws(PostgreSQLError) {
                try bringUpToDate(organization)
            } catch {
                failed.withLock { $0[organization] = .now + Self.pauseOfFailed }
                var metadata = error.metadata
                metadata["organization"] = "\(organization)"
                logger.warning("the notices of an organization could not be written", metadata: metadata)
            }
        }
        return Self.pause
    }

    private func bringUpToDate(_ organization: String) throws(PostgreSQLError) {
        let end = ContinuousClock.now + Self.turn
        while !loop.isStopped, .now < end {
            let rows = try database.ask(
                Query(Self.advance, [organization, String(Self.chunk)]), organization: organization)
            guard rows.rowCount > 0, rows[0].bool(AdvanceColumn.remaining) == true else { return }
        }
    }
}
