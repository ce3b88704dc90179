import Logging
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The background work")
struct MaintenanceTests {
    /// What is left to do for each organization, as a database of two functions.
    private final class Backlog: Sendable {
        private let chunks: Monitor<[String: Int]>
        private let count = Monitor(0)
        private let turns = Monitor([String]())
        private let partitions = Monitor(0)
        private let failing: Bool

        init(_ chunks: [String: Int], failing: Bool = false) {
            self.chunks = Monitor(chunks)
            self.failing = failing
        }

        var calls: Int { count.withLock { $0 } }
        /// Whose chunks were worked off, in order.
        var order: String { turns.withLock { $0.joined() } }

        func run(_ query: Query, _ organization: String) throws(PostgreSQLError) -> QueryResult {
            count.withLock { $0 += 1 }
            count.notifyAll()
            if failing { throw .connectionLost("gone") }
            let rows: [[String?]]
            if query.statement.name == "organizations_due" {
                rows = chunks.withLock { $0.filter { $0.value > 0 }.keys.sorted().map { [$0] } }
            } else if query.statement.name == "make_audit_partitions" {
                partitions.withLock { $0 += 1 }
                partitions.notifyAll()
                rows = [["0"]]
            } else {
                guard query.parameters.first == organization else { throw .unexpectedResult("not bound to it") }
                turns.withLock { $0.append(organization) }
                let left = chunks.withLock { chunks in
                    chunks[organization, default: 0] -= 1
                    return chunks[organization, default: 0]
                }
                chunks.notifyAll()
                rows = [["1000", left > 0 ? "t" : "f"]]
            }
            let columns = rows.first.map { $0.indices.map { "c\($0)" } } ?? ["c0"]
            guard let result = QueryResult.make(columns: columns, rows: rows) else {
                throw .unexpectedResult("no memory")
            }
            return result
        }

        func waitUntilDone() -> Bool {
            chunks.wait(until: .now + .seconds(60)) { $0.values.allSatisfy { $0 <= 0 } ? true : nil } ?? false
        }

        func waitForPartitions() -> Bool {
            partitions.wait(until: .now + .seconds(60)) { $0 > 0 ? true : nil } ?? false
        }

        func waitForCalls(_ least: Int) -> Bool {
            count.wait(until: .now + .seconds(60)) { $0 >= least ? true : nil } ?? false
        }
    }

    private func start(
        _ backlog: Backlog, _ log: CapturedLog, pause: Duration = .seconds(1), turn: Duration = .seconds(1)
    ) throws -> Maintenance {
        let maintenance = Maintenance(
            database: { (query, organization) throws(PostgreSQLError) in try backlog.run(query, organization) },
            logger: Logger(label: "test") { _ in StructuredLogHandler(sink: log.sink, format: .text, level: LogLevel(.info)) },
            pause: pause, turn: turn)
        try maintenance.start()
        return maintenance
    }

    @Test("brings every organization up to date, chunk by chunk, each bound to itself")
    func worksOff() throws {
        let backlog = Backlog(["a": 3, "b": 1])
        let maintenance = try start(backlog, CapturedLog())
        #expect(backlog.waitUntilDone())
        maintenance.stop()
    }

    @Test("goes on at once where work is left, and gives each organization its turn")
    func turns() throws {
        let backlog = Backlog(["a": 3, "b": 2])
        let maintenance = try start(backlog, CapturedLog(), pause: .seconds(3600), turn: .zero)
        #expect(backlog.waitUntilDone())
        maintenance.stop()
        #expect(backlog.order == "ababa")
    }

    @Test("has the audit's next months made from the start")
    func partitions() throws {
        let backlog = Backlog([:])
        let maintenance = try start(backlog, CapturedLog())
        #expect(backlog.waitForPartitions())
        maintenance.stop()
    }

    @Test("says so when the database is away, and does not hammer it")
    func failure() throws {
        let (backlog, log) = (Backlog([:], failing: true), CapturedLog())
        let maintenance = try start(backlog, log)
        #expect(backlog.waitForCalls(1))
        Thread.sleep(.milliseconds(300))
        maintenance.stop()
        #expect(backlog.calls == 1)
        #expect(log.text().contains("the background work could not go on"))
    }
}
