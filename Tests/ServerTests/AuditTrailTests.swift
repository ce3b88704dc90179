import API
import JWT
import Logging
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The audit's writer")
struct AuditTrailTests {
    /// A database that takes entries as long as it is asked to.
    private final class Table: Sendable {
        private let state = Monitor((ids: [String](), statements: 0, failing: false))
        private let poison: String?

        init(failing: Bool = false, poison: String? = nil) {
            self.poison = poison
            fail(failing)
        }

        var ids: [String] { state.withLock { $0.ids } }
        var statements: Int { state.withLock { $0.statements } }
        func fail(_ failing: Bool) { state.withLock { $0.failing = failing } }

        func run(_ query: Query) throws(PostgreSQLError) -> QueryResult {
            let ids = (query.parameters[8] ?? "").split { "{},\"".contains($0) }.map(String.init)
            try state.withLock { state throws(PostgreSQLError) in
                state.statements += 1
                if state.failing { throw .connectionLost("gone") }
                if let poison, ids.contains(poison) { throw .refused(SQLState("22021"), "patient_secret") }
                state.ids += ids
            }
            state.notifyAll()
            guard let result = QueryResult.make(columns: ["count"], rows: [["\(ids.count)"]]) else {
                throw .unexpectedResult("no memory")
            }
            return result
        }

        func waitForIDs(_ number: Int) -> Bool {
            state.wait(until: .now + .seconds(60)) { $0.ids.count >= number ? true : nil } ?? false
        }

        func waitForStatements(_ number: Int) -> Bool {
            while statements < number { Thread.sleep(.milliseconds(5)) }
            return true
        }
    }

    private static func entry(_ id: String, patients: [UInt8]? = nil) -> AuditEntry {
        AuditEntry(
            time: 1, status: 200, principal: Principal(Claims(subject: "u", organization: "o", expiresAt: 9e9)),
            address: nil, requestID: id, method: "GET", route: "r", filter: [], patients: patients)
    }

    private static func add(_ patients: [UInt8]?, to backlog: inout AuditBacklog, _ now: ContinuousClock.Instant) -> Bool {
        backlog.add(entry("r", patients: patients), now: now)
    }

    private func start(_ table: Table, _ log: CapturedLog = CapturedLog()) throws -> AuditTrail {
        let trail = AuditTrail(
            database: { (query) throws(PostgreSQLError) in try table.run(query) },
            logger: Logger(label: "test") { _ in StructuredLogHandler(sink: log.sink, format: .text, level: LogLevel(.info)) })
        try trail.start()
        return trail
    }

    @Test("writes by itself, in order, many at once")
    func writes() throws {
        let table = Table()
        let trail = try start(table)
        let ids = (0..<3000).map { "r\($0)" }
        for id in ids { #expect(trail.record(Self.entry(id))) }
        #expect(table.waitForIDs(ids.count))
        #expect(table.ids == ids)
        #expect(table.statements < 300)
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(trail.statistics.written == 3000 && trail.statistics.waiting == 0)
    }

    @Test("writes what waits when it is told to stop")
    func flush() throws {
        let table = Table()
        let trail = try start(table)
        for number in 0..<10 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids.count == 10)
    }

    @Test("keeps what the database will not take now, and says so once")
    func retries() throws {
        let (table, log) = (Table(failing: true), CapturedLog())
        let trail = try start(table, log)
        #expect(trail.record(Self.entry("r")))
        #expect(table.waitForStatements(3))
        #expect(trail.statistics.waiting == 1)
        table.fail(false)
        #expect(table.waitForIDs(1))
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids == ["r"])
        #expect(log.text().components(separatedBy: "the audit could not be written") == 2)
    }

    @Test("ends in time and tells how many are unwritten")
    func unwritten() throws {
        let table = Table(failing: true)
        let trail = try start(table)
        for number in 0..<5 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .milliseconds(600)) == 5)
    }

    @Test("one entry that cannot be stored keeps no other out, and is not quoted")
    func poison() throws {
        let (table, log) = (Table(poison: "r5"), CapturedLog())
        let trail = try start(table, log)
        for number in 0..<20 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids == (0..<20).filter { $0 != 5 }.map { "r\($0)" })
        #expect(trail.statistics.lost == 1)
        #expect(log.text().contains("request_id=r5") && !log.text().contains("patient_secret"))
    }

    @Test("is bounded in bytes, and refuses the newest")
    func bytes() {
        var backlog = AuditBacklog()
        let now = ContinuousClock.now
        let large = [UInt8](repeating: 0x61, count: 1 << 20)
        var admitted = 0
        while Self.add(large, to: &backlog, now) { admitted += 1 }
        #expect(admitted == 31)
        #expect(backlog.bytes <= AuditBacklog.mostBytes && backlog.refused == 1)
        let taken = backlog.takeAll()
        #expect(taken.count == 31)
        let whileWriting = Self.add(large, to: &backlog, now)
        #expect(!whileWriting, "what is being written counts")
        backlog.settle(bytes: taken[0].size, count: 1)
        let afterwards = Self.add(large, to: &backlog, now)
        #expect(afterwards)
    }

    @Test("is bounded in age, whether it waits or is being written")
    func age() {
        var backlog = AuditBacklog()
        let now = ContinuousClock.now
        let later = now + AuditBacklog.longestDelay + .milliseconds(1)
        var admitted = [now, now + AuditBacklog.longestDelay, later].map { Self.add(nil, to: &backlog, $0) }
        let taken = backlog.takeAll()
        admitted.append(Self.add(nil, to: &backlog, later))
        backlog.settle(bytes: taken.reduce(0) { $0 + $1.size }, count: taken.count)
        backlog.finishWriting()
        admitted.append(Self.add(nil, to: &backlog, later))
        #expect(admitted == [true, true, false, false, true])
        #expect(backlog.count == 1)
    }

    @Test("quotes what a text may hold")
    func literal() {
        var literal = ArrayLiteral(capacity: 8)
        for text in ["a", #"b"\c,{}"#, "", "NULL"] { literal.add(text) }
        literal.addNull()
        #expect(literal.end() == #"{"a","b\"\\c,{}","","NULL",NULL}"#)
    }
}

extension String {
    /// How many pieces `separator` cuts it into.
    fileprivate func components(separatedBy separator: String) -> Int {
        var (rest, count) = (self[...], 1)
        while let range = rest.range(of: separator) {
            rest = rest[range.upperBound...]
            count += 1
        }
        return count
    }
}
