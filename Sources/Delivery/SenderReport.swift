internal import Logging
internal import PostgreSQL
internal import Threads

/// Reports regularly that this sender runs, for the server's metrics.
final class SenderReport: Sendable {
    private let database: SenderDatabase
    private let channels: [String]
    private let logger: Logger
    private let loop = ThreadLoop()
    private let name: String

    private static let pause = Duration.seconds(5)
    private static let pauseAfterFailure = Duration.seconds(10)
    private static let statement = Statement(
        name: "report_sender", sql: "SELECT re.report_sender($1, jsonb_build_object('channels', $2::text[]))")

    /// - Parameter channels: what this sender sends.
    init(database: SenderDatabase, channels: [String], logger: Logger) {
        (self.database, self.channels, self.logger) = (database, channels, logger)
        name = RandomID.uuid()
    }

    func start() throws(Thread.StartError) {
        try loop.start(for: "the report") { [self] in .after(report()) }
    }

    func stop() { loop.stop() }

    @discardableResult
    func waitUntilEnded(_ deadline: ContinuousClock.Instant) -> Bool { loop.waitUntilEnded(deadline) }

    private func report() -> Duration {
        do throws(PostgreSQLError) {
            _ = try database.ask(Query(Self.statement, [name, ArrayLiteral.text(of: channels)]))
            return Self.pause
        } catch {
            logger.warning("the sender could not report", metadata: error.metadata)
            return Self.pauseAfterFailure
        }
    }
}
