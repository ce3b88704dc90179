import Logging
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The background work")
struct MaintenanceTests {
    /// The remaining work of each organization, in the place of the database.
    private final class Backlog: Sendable {
        private let chunks: Monitor<[String: Int]>
        private let count = Monitor(0)
        private let turns = Monitor([String]())
        private let partitions = Monitor(0)
        /// The results of sealing the audit, in order.
        private let seals: Monitor<[[String?]]>
        private let failing: Bool
        /// The errors of organizations until they are repaired.
        private let errors: Monitor<[String: PostgreSQLError]>
        /// The organizations that each search for work excluded.
        private let excludedOrganizations = Monitor([String]())

        init(
            _ chunks: [String: Int], failing: Bool = false, errors: [String: PostgreSQLError] = [:],
            seals: [[String?]] = []
        ) {
            self.seals = Monitor(seals)
            self.chunks = Monitor(chunks)
            self.failing = failing
            self.errors = Monitor(errors)
        }

        var exclusions: [String] { excludedOrganizations.withLock { $0 } }

        func repair() { errors.withLock { $0 = [:] } }

        var calls: Int { count.withLock { $0 } }
        /// The organizations of the processed chunks, in order.
        var order: String { turns.withLock { $0.joined() } }

        func run(_ query: Query, _ organization: String) throws(PostgreSQLError) -> QueryResult {
            count.withLock { $0 += 1 }
            count.notifyAll()
            if failing { throw .connectionLost("gone") }
            let rows: [[String?]]
            if query.statement.name == "organizations_due" {
                let excluded = query.parameters[1] ?? ""
                excludedOrganizations.withLock { $0.append(excluded) }
                rows = chunks.withLock {
                    $0.filter { $0.value > 0 }.keys.sorted().filter { !excluded.contains("\"\($0)\"") }.map { [$0] }
                }
            } else if query.statement.name == "audit_rest_entries" {
                rows = [["7"]]
            } else if query.statement.name == "seal_audit" {
                rows = [seals.withLock { $0.isEmpty ? [nil, nil, "0", "f", "0"] : $0.removeFirst() }]
            } else if query.statement.name == "make_audit_partitions" {
                partitions.withLock { $0 += 1 }
                partitions.notifyAll()
                rows = [["0"]]
            } else {
                guard query.parameters.first == organization else { throw .unexpectedResult("not bound to it") }
                turns.withLock { $0.append(organization) }
                if let error = errors.withLock({ $0[organization] }) { throw error }
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

        func waitUntilDone(_ organizations: [String]? = nil) -> Bool {
            chunks.wait(until: .now + .seconds(60)) { chunks in
                (organizations ?? Array(chunks.keys)).allSatisfy { chunks[$0, default: 0] <= 0 } ? true : nil
            } ?? false
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
        let logger = Logger(label: "test") { _ in
            StructuredLogHandler(sink: log.sink, format: .text, level: LogLevel(.info))
        }
        let maintenance = Maintenance(
            database: { (query, organization) throws(PostgreSQLError) in try backlog.run(query, organization) },
            refreshes: Refreshes(logger: logger), logger: logger,
            pause: pause, turn: turn)
        try maintenance.start()
        return maintenance
    }

    @Test("Every organization is refreshed chunk by chunk, and each statement is bound to its organization")
    func refreshes() throws {
        let backlog = Backlog(["a": 3, "b": 1])
        let maintenance = try start(backlog, CapturedLog())
        #expect(backlog.waitUntilDone())
        maintenance.stop()
    }

    @Test("Remaining work continues at once, and organizations take turns")
    func turns() throws {
        let backlog = Backlog(["a": 3, "b": 2])
        let maintenance = try start(backlog, CapturedLog(), pause: .seconds(3600), turn: .zero)
        #expect(backlog.waitUntilDone())
        maintenance.stop()
        #expect(backlog.order == "ababa")
    }

    @Test("The audit's next partitions are created from the start, and the entries outside them are counted")
    func partitions() throws {
        let backlog = Backlog([:])
        let maintenance = try start(backlog, CapturedLog())
        #expect(backlog.waitForPartitions())
        maintenance.stop()
        #expect(maintenance.auditRest == 7)
    }

    @Test("The audit is sealed from the start, a backlog at once, and each seal is logged")
    func seals() throws {
        let log = CapturedLog()
        let backlog = Backlog(
            [:],
            seals: [["7", "ab12", "20000", "t", "90000"], ["8", "cd34", "5", "f", "30"], [nil, nil, "0", "f", nil]])
        let maintenance = try start(backlog, log, pause: .milliseconds(10))
        var text = ""
        let deadline = ContinuousClock.now + .seconds(120)
        while !text.contains("cd34"), ContinuousClock.now < deadline { text += log.text() }
        maintenance.stop()
        #expect(text.contains("the audit has been sealed digest=ab12 entries=20000 number=7"))
        #expect(text.contains("the audit has been sealed digest=cd34 entries=5 number=8"))
        #expect(maintenance.auditUnsealed >= .seconds(30) && maintenance.auditUnsealed < .seconds(90000))
    }

    @Test("An absent database is logged, and is not queried again at once")
    func failure() throws {
        let (backlog, log) = (Backlog([:], failing: true), CapturedLog())
        let maintenance = try start(backlog, log)
        // A search for work, the audit's seals and its partitions.
        #expect(backlog.waitForCalls(3))
        Thread.sleep(.milliseconds(300))
        maintenance.stop()
        #expect(backlog.calls == 3)
        #expect(log.text().contains("the background work failed"))
    }

    @Test(
        "An organization that fails is retried after a pause, while the others are processed",
        arguments: [
            PostgreSQLError.unavailable(.unknownTimeZone, "the zone is gone"), .refused(SQLState("22003"), "overflow"),
            .statementTimeout, .unavailable(SQLState("40P01"), "deadlock"),
            .unavailable(SQLState("53100"), "no space left"),
        ])
    func ownFailure(error: PostgreSQLError) throws {
        let (backlog, log) = (Backlog(["a": 1, "b \"\\": 2, "c": 3], errors: ["b \"\\": error]), CapturedLog())
        let maintenance = try start(backlog, log, pause: .milliseconds(10), turn: .zero)
        #expect(backlog.waitUntilDone(["a", "c"]))
        #expect(backlog.waitForPartitions())
        #expect(log.text().contains("organization=\"b"))
        backlog.repair()
        #expect(backlog.waitUntilDone())
        maintenance.stop()
        #expect(backlog.exclusions.first == "{}")
        #expect(backlog.exclusions.contains(#"{"b \"\\"}"#))
    }

    @Test("The pause doubles with each failure up to a minute, and starts again after a success")
    func pauses() throws {
        var failed = FailedOrganizations()
        var now = ContinuousClock.now
        let error = PostgreSQLError.unavailable(SQLState("53100"), "no space left")
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            #expect(failed.failed("a", error, now: now) == .seconds(seconds))
            #expect(failed.failed("a", error, now: now) == nil)
            #expect(failed.waiting(now: now + .seconds(seconds) - .milliseconds(1)) == ["a"])
            now += .seconds(seconds)
            #expect(failed.waiting(now: now) == [])
        }
        #expect(failed.attempts == [.diskFull: 18])
        failed.succeeded("a")
        #expect(failed.count == 0)
        #expect(failed.failed("a", error, now: now) == .seconds(1))
    }

    @Test("An organization without work is forgotten after its pause")
    func keeping() {
        var failed = FailedOrganizations()
        let now = ContinuousClock.now
        for organization in ["a", "b"] { _ = failed.failed(organization, .statementTimeout, now: now) }
        failed.keep(due: [], now: now)
        #expect(failed.count == 2)
        failed.keep(due: ["b"], now: now + .seconds(1))
        #expect(failed.count == 1)
        #expect(failed.failed("b", .statementTimeout, now: now + .seconds(1)) == .seconds(2))
    }
}
