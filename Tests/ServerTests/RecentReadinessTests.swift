import Glibc
import PostgreSQL
import Synchronization
import Testing

@testable import Server

@Suite("Readiness for callers from outside")
struct RecentReadinessTests {
    /// A database that counts checks, and can fail or hang.
    final class Database: Sendable {
        private let state = Mutex<(looks: Int, fails: Bool, hangs: Bool)>((0, false, false))
        var looks: Int { state.withLock { $0.looks } }

        func set(fails: Bool = false, hangs: Bool = false) { state.withLock { ($0.fails, $0.hangs) = (fails, hangs) } }

        func look() throws(PostgreSQLError) {
            state.withLock { $0.looks += 1 }
            while state.withLock({ $0.hangs }) { usleep(1000) }
            if state.withLock({ $0.fails }) { throw .connectionLost("gone") }
        }
    }

    private let database = Database()

    private func recent(longestWait: Duration = .seconds(60), mostWaiting: Int = 1) throws -> RecentReadiness {
        let recent = RecentReadiness(longestWait: longestWait, mostWaiting: mostWaiting) {
            [database] () throws(PostgreSQLError) in
            try database.look()
        }
        try recent.start()
        return recent
    }

    private func ask(_ recent: RecentReadiness) throws(PostgreSQLError) {
        if try !recent.answers() { try recent.wait() }
    }

    @Test("A check runs only on request, and many requests share it")
    func shared() throws {
        let recent = try recent()
        defer { recent.stop() }
        usleep(20_000)
        #expect(database.looks == 0)
        let start = ContinuousClock.now
        for _ in 0..<5000 { try ask(recent) }
        #expect(database.looks <= 2 + Int(start.duration(to: .now) / .milliseconds(500)))
        let looks = database.looks
        usleep(1_500_000)
        #expect(database.looks <= looks + 1)
    }

    @Test("The result is never older than a second")
    func age() throws {
        let recent = try recent()
        defer { recent.stop() }
        try ask(recent)
        database.set(fails: true)
        usleep(1_100_000)
        #expect(throws: PostgreSQLError.self) { try ask(recent) }
        database.set()
        usleep(1_100_000)
        try ask(recent)
    }

    @Test("The wait for a result is limited in time and in the number of callers")
    func hangs() throws {
        let recent = try recent(longestWait: .seconds(3), mostWaiting: 0)
        defer {
            database.set()
            recent.stop()
        }
        try ask(recent)
        database.set(hangs: true)
        usleep(1_100_000)
        // The database is not known to be slow yet, so this call waits.
        #expect(throws: PostgreSQLError.self) { try ask(recent) }
        let start = ContinuousClock.now
        for _ in 0..<100 { #expect(throws: PostgreSQLError.self) { try ask(recent) } }
        #expect(start.duration(to: .now) < .seconds(2))
        database.set()
        while (try? ask(recent)) == nil {}
    }
}
