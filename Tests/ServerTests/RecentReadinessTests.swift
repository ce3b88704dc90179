import Glibc
import PostgreSQL
import Synchronization
import Testing

@testable import Server

@Suite("What strangers are told of readiness")
struct RecentReadinessTests {
    /// A database that counts looks, and fails or hangs.
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

    @Test("is looked at when somebody asks, and not for each who does")
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

    @Test("is never older than a second, whether good or bad")
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

    @Test("is waited for so long, and by so many where that takes long")
    func hangs() throws {
        let recent = try recent(longestWait: .seconds(3), mostWaiting: 0)
        defer {
            database.set()
            recent.stop()
        }
        try ask(recent)
        database.set(hangs: true)
        usleep(1_100_000)
        // Not slow yet, as far as is known: it waits.
        #expect(throws: PostgreSQLError.self) { try ask(recent) }
        let start = ContinuousClock.now
        for _ in 0..<100 { #expect(throws: PostgreSQLError.self) { try ask(recent) } }
        #expect(start.duration(to: .now) < .seconds(2))
        database.set()
        while (try? ask(recent)) == nil {}
    }
}
