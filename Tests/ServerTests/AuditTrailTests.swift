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
        private let state = Monitor((ids: [String](), kept: [String](), statements: 0, failing: false))
        /// What it will not have, and what it says then.
        private let poison: [String: PostgreSQLError]
        /// Whether it keeps what it will not have in a table of its own.
        private let keeps: Bool

        init(failing: Bool = false, poison: [String: PostgreSQLError] = [:], keeps: Bool = true) {
            (self.poison, self.keeps) = (poison, keeps)
            fail(failing)
        }

        var ids: [String] { state.withLock { $0.ids } }
        /// The entries that were refused, as JSON.
        var kept: [String] { state.withLock { $0.kept } }
        var statements: Int { state.withLock { $0.statements } }
        func fail(_ failing: Bool) { state.withLock { $0.failing = failing } }

        func run(_ query: Query) throws(PostgreSQLError) -> QueryResult {
            try state.withLock { state throws(PostgreSQLError) in
                if state.failing { throw .connectionLost("gone") }
            }
            switch query.statement.name {
            case "prove_audit": break
            case "keep_refused_entry": try keep(query)
            default: try write(query)
            }
            guard let result = QueryResult.make(columns: ["count"], rows: [["1"]]) else {
                throw .unexpectedResult("no memory")
            }
            return result
        }

        private func keep(_ query: Query) throws(PostgreSQLError) {
            guard keeps else { throw .refused(SQLState("42883"), "no such function") }
            state.withLock { $0.kept.append(query.parameters.map { $0 ?? "" }.joined(separator: " ")) }
        }

        private func write(_ query: Query) throws(PostgreSQLError) {
            let ids = (query.parameters[8] ?? "").split { "{},\"".contains($0) }.map(String.init)
            try state.withLock { state throws(PostgreSQLError) in
                state.statements += 1
                for id in ids { if let error = poison[id] { throw error } }
                state.ids += ids
            }
            state.notifyAll()
        }

        func waitForIDs(_ number: Int) -> Bool {
            state.wait(until: .now + .seconds(60)) { $0.ids.count >= number ? true : nil } ?? false
        }

        func waitForKept(_ number: Int) {
            while kept.count < number { Thread.sleep(.milliseconds(5)) }
        }
    }

    private static func entry(
        _ id: String, patients: [UInt8]? = nil, subject: String = "u", organization: String = "o"
    ) -> AuditEntry {
        AuditEntry(
            time: 1, status: 200,
            claims: Claims(subject: subject, organization: organization, expiresAt: 9e9),
            address: nil, requestID: id, serverRequestID: "s", method: "GET", route: "r", patients: patients)
    }

    private static func add(_ patients: [UInt8]?, to backlog: inout AuditBacklog, _ now: ContinuousClock.Instant)
        -> Bool
    {
        backlog.add(entry("r", patients: patients), now: now)
    }

    private func start(_ table: Table, _ log: CapturedLog = CapturedLog()) throws -> AuditTrail {
        let trail = AuditTrail(
            database: { (query) throws(PostgreSQLError) in try table.run(query) },
            logger: Logger(label: "test") { _ in
                StructuredLogHandler(sink: log.sink, format: .text, level: LogLevel(.info))
            })
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
        while trail.statistics.failures < 3 { Thread.sleep(.milliseconds(5)) }
        #expect(trail.statistics.waiting == 1 && trail.trouble != nil)
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

    @Test(
        "one entry that cannot be stored, for whatever reason, keeps no other out, is kept by itself and is not quoted",
        arguments: [
            (PostgreSQLError.refused(SQLState("22021"), "patient_secret"), "22021"),
            (.refused(SQLState("54000"), "patient_secret"), "54000"),
            (.unavailable(SQLState("REAUD"), "patient_secret"), "REAUD"),
            (.refused(SQLState("XX000"), "patient_secret"), "XX000"), (.statementTimeout, "statement_timeout"),
            (.connectionLost("gone"), "connection_lost"),
        ])
    func poison(error: PostgreSQLError, reason: String) throws {
        let (table, log) = (Table(poison: ["r5": error, "r6": error]), CapturedLog())
        let trail = try start(table, log)
        for number in 0..<20 { _ = trail.record(Self.entry("r\(number)", patients: Array("{p_1}".utf8))) }
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids == (0..<20).filter { $0 != 5 && $0 != 6 }.map { "r\($0)" })
        #expect(table.kept.count == 2)
        #expect(
            table.kept.first == reason + #" {"time":"1.0","status":"200","organization_id":"o","subject":"u","#
                + #""request_id":"r5","method":"GET","route":"r","patient_ids":"{p_1}","server_request_id":"s","automatic":"false"}"#
        )
        #expect(trail.statistics.isolated == 2 && trail.statistics.lost == 0 && trail.statistics.written == 18)
        #expect(trail.trouble == nil)
        #expect(log.text().contains("request_id=r5") && !log.text().contains("patient_secret"))
        #expect(!log.text().contains("p_1"))
    }

    @Test("one that no table takes is lost, counted and named, and keeps no other out")
    func lost() throws {
        let (table, log) = (Table(poison: ["r1": .refused(SQLState("54000"), "")], keeps: false), CapturedLog())
        let trail = try start(table, log)
        for number in 0..<3 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids == ["r0", "r2"])
        #expect(trail.statistics.lost == 1 && trail.statistics.isolated == 0)
        #expect(log.text().contains("an audit entry was refused and is lost"))
    }

    @Test("whose entry was refused is answered once it is written, and not where it is refused again")
    func suspects() throws {
        let error = PostgreSQLError.refused(SQLState("54000"), "")
        let table = Table(poison: ["r1": error, "r2": error])
        let trail = try start(table)
        #expect(trail.record(Self.entry("r1")))
        table.waitForKept(1)
        while trail.statistics.isolated < 1 { Thread.sleep(.milliseconds(5)) }
        #expect(!trail.record(Self.entry("r2")))
        #expect(trail.record(Self.entry("r3")) && table.ids == ["r3"])
        #expect(trail.record(Self.entry("r2", subject: "v")), "another is not suspected")
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(trail.statistics.refused == 1 && trail.statistics.written == 1 && trail.statistics.isolated == 2)
    }

    @Test("forgets a suspect after a while, and whose entry was refused first where there are many")
    func forgetting() {
        var suspects = AuditSuspects()
        let now = ContinuousClock.now
        let entries = (0...AuditSuspects.most).map { Self.entry("r", subject: "u\($0)") }
        for (number, entry) in entries.enumerated() { suspects.add(entry, now: now + .milliseconds(number)) }
        let later = now + AuditSuspects.remembered + .milliseconds(AuditSuspects.most)
        #expect(!suspects.contains(entries[0], now: now) && suspects.contains(entries[1], now: now))
        #expect(!suspects.contains(entries[999], now: later) && !suspects.contains(entries[1000], now: later))
        #expect(suspects.contains(entries[1000], now: later - .milliseconds(1)))
    }

    @Test("takes nothing in that no table could hold")
    func unwritable() {
        let long = String(repeating: "o", count: 2000)
        let entries = [
            Self.entry("r\0"), Self.entry("r", subject: "u\0"), Self.entry("r", patients: [0]),
            Self.entry("r", organization: "o\0"), Self.entry("r", organization: long + "o"),
        ]
        #expect(entries.map(\.isWritable) == entries.map { _ in false })
        #expect(Self.entry("r", organization: long).isWritable)
        var backlog = AuditBacklog()
        let isAdmitted = backlog.add(entries[0], now: .now)
        #expect(!isAdmitted && backlog.refused == 1)
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
