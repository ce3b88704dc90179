import API
import JWT
import Logging
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The writer of the audit")
struct AuditTrailTests {
    /// A database that accepts entries until the test makes it fail.
    private final class Table: Sendable {
        private let state = Monitor((ids: [String](), refused: [String](), statements: 0, failing: false))
        /// The ids of the entries that it refuses, with their errors.
        private let poison: [String: PostgreSQLError]
        /// True if it has a table for refused entries.
        private let storesRefused: Bool

        init(failing: Bool = false, poison: [String: PostgreSQLError] = [:], storesRefused: Bool = true) {
            (self.poison, self.storesRefused) = (poison, storesRefused)
            fail(failing)
        }

        var ids: [String] { state.withLock { $0.ids } }
        /// The entries that were refused, as JSON.
        var refused: [String] { state.withLock { $0.refused } }
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
            guard storesRefused else { throw .refused(SQLState("42883"), "no such function") }
            state.withLock { $0.refused.append(query.parameters.map { $0 ?? "" }.joined(separator: " ")) }
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

        func waitForRefused(_ number: Int) {
            while refused.count < number { Thread.sleep(.milliseconds(5)) }
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

    @Test("Entries are written without a request for it, in order, many at once")
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

    @Test("Waiting entries are written at a stop")
    func flush() throws {
        let table = Table()
        let trail = try start(table)
        for number in 0..<10 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids.count == 10)
    }

    @Test("Entries wait while the database is away, which is logged once")
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

    @Test("A stop ends in time and returns the number of unwritten entries")
    func unwritten() throws {
        let table = Table(failing: true)
        let trail = try start(table)
        for number in 0..<5 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .milliseconds(600)) == 5)
    }

    @Test(
        "An entry that cannot be stored blocks no other, is stored as refused, and is not quoted in the log",
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
        #expect(table.refused.count == 2)
        #expect(
            table.refused.first == reason + #" {"time":"1.0","status":"200","organization_id":"o","subject":"u","#
                + #""request_id":"r5","method":"GET","route":"r","patient_ids":"{p_1}","server_request_id":"s","automatic":"false"}"#
        )
        #expect(trail.statistics.isolated == 2 && trail.statistics.lost == 0 && trail.statistics.written == 18)
        #expect(trail.trouble == nil)
        #expect(log.text().contains("request_id=r5") && !log.text().contains("patient_secret"))
        #expect(!log.text().contains("p_1"))
    }

    @Test("An entry that no table accepts is lost, counted and logged, and blocks no other")
    func lost() throws {
        let (table, log) = (Table(poison: ["r1": .refused(SQLState("54000"), "")], storesRefused: false), CapturedLog())
        let trail = try start(table, log)
        for number in 0..<3 { _ = trail.record(Self.entry("r\(number)")) }
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(table.ids == ["r0", "r2"])
        #expect(trail.statistics.lost == 1 && trail.statistics.isolated == 0)
        #expect(log.text().contains("an audit entry was refused and is lost"))
    }

    @Test("After a refused entry, a user gets a response only once the next entry is written")
    func suspects() throws {
        let error = PostgreSQLError.refused(SQLState("54000"), "")
        let table = Table(poison: ["r1": error, "r2": error])
        let trail = try start(table)
        #expect(trail.record(Self.entry("r1")))
        table.waitForRefused(1)
        while trail.statistics.isolated < 1 { Thread.sleep(.milliseconds(5)) }
        #expect(!trail.record(Self.entry("r2")))
        #expect(trail.record(Self.entry("r3")) && table.ids == ["r3"])
        #expect(trail.record(Self.entry("r2", subject: "v")), "another user is not suspected")
        #expect(trail.stop(by: .now + .seconds(60)) == 0)
        #expect(trail.statistics.refused == 1 && trail.statistics.written == 1 && trail.statistics.isolated == 2)
    }

    @Test("A suspect expires, and the oldest one is removed if there are too many")
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

    @Test("An entry that no table can store is not admitted")
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

    @Test("The backlog is limited in bytes, and refuses the newest entry")
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
        #expect(!whileWriting, "entries that are being written count")
        backlog.release(bytes: taken[0].size, count: 1)
        let afterwards = Self.add(large, to: &backlog, now)
        #expect(afterwards)
    }

    @Test("The backlog is limited in age, both of waiting entries and of those being written")
    func age() {
        var backlog = AuditBacklog()
        let now = ContinuousClock.now
        let later = now + AuditBacklog.longestDelay + .milliseconds(1)
        var admitted = [now, now + AuditBacklog.longestDelay, later].map { Self.add(nil, to: &backlog, $0) }
        let taken = backlog.takeAll()
        admitted.append(Self.add(nil, to: &backlog, later))
        backlog.release(bytes: taken.reduce(0) { $0 + $1.size }, count: taken.count)
        backlog.finishWriting()
        admitted.append(Self.add(nil, to: &backlog, later))
        #expect(admitted == [true, true, false, false, true])
        #expect(backlog.count == 1)
    }
}

extension String {
    /// The number of parts between the occurrences of `separator`.
    fileprivate func components(separatedBy separator: String) -> Int {
        var (rest, count) = (self[...], 1)
        while let range = rest.range(of: separator) {
            rest = rest[range.upperBound...]
            count += 1
        }
        return count
    }
}
