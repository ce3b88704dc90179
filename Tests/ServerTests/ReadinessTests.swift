import PostgreSQL
import Synchronization
import Testing

@testable import API
@testable import Server

@Suite("Readiness")
struct ReadinessTests {
    /// A database with new sessions and a pool that can be made to fail.
    final class Database: Sendable {
        private let state = Mutex<(asked: [String], newFails: Bool, poolFails: Bool, room: Bool, proofFails: Bool)>(
            ([], false, false, true, false))
        let error = PostgreSQLError.unavailable(SQLState("58P01"), "could not access file plpgsql")

        var asked: [String] {
            state.withLock { state in
                defer { state.asked = [] }
                return state.asked
            }
        }

        func set(newFails: Bool = false, poolFails: Bool = false, room: Bool = true, proofFails: Bool = false) {
            state.withLock { state in
                (state.newFails, state.poolFails, state.room) = (newFails, poolFails, room)
                state.proofFails = proofFails
            }
        }

        func pooled(_ queries: [Query]) throws(PostgreSQLError) {
            let isProof = queries.map(\.statement.name) == ["prove_audit"]
            let fails = state.withLock { state in
                if isProof { return state.proofFails }
                state.asked.append(queries.count == 2 ? "pool" : "pool, one")
                return state.poolFails
            }
            if fails { throw error }
        }

        func inNewSession() throws(PostgreSQLError) -> Bool {
            let (fails, room) = state.withLock { state in
                if state.room { state.asked.append("new") }
                return (state.newFails, state.room)
            }
            guard room else { return false }
            if fails { throw error }
            return true
        }
    }

    final class Box: Sendable {
        private let trouble = Mutex<PostgreSQLError?>(nil)
        var value: PostgreSQLError? { trouble.withLock { $0 } }
        func set(_ error: PostgreSQLError?) { trouble.withLock { $0 = error } }
    }

    let database = Database()
    let start = ContinuousClock.now

    private func readiness(causes: [Readiness.Cause] = []) -> Readiness {
        Readiness(
            queries: ["a", "b"].map { Query(Statement(name: $0, sql: "")) }, causes: causes,
            pooled: { [database] (queries) throws(PostgreSQLError) in try database.pooled(queries) },
            inNewSession: { [database] _ throws(PostgreSQLError) in try database.inNewSession() })
    }

    @Test("A new session is checked every ten seconds, and the pool each time")
    func healthy() throws {
        let readiness = readiness()
        for second in 0...20 { try readiness.check(now: start + .seconds(second)) }
        let asked = database.asked
        #expect(asked.filter { $0 == "new" }.count == 3)
        #expect(asked.filter { $0 == "pool" }.count == 21)
        #expect(asked.prefix(3) == ["new", "pool", "pool"])
    }

    @Test("The pool runs all queries at most once a second, until one fails")
    func often() throws {
        let readiness = readiness()
        for milliseconds in [0, 10, 999, 1000] { try readiness.check(now: start + .milliseconds(milliseconds)) }
        #expect(database.asked == ["new", "pool", "pool, one", "pool, one", "pool"])
        database.set(poolFails: true)
        for milliseconds in [2000, 2010] {
            #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .milliseconds(milliseconds)) }
        }
        #expect(database.asked == ["pool", "new", "pool"])
    }

    @Test("After a failure in the pool, a new session is checked at once")
    func poolFailed() throws {
        let readiness = readiness()
        try readiness.check(now: start)
        database.set(newFails: true, poolFails: true)
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .seconds(2)) }
        database.set(newFails: true)
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .milliseconds(2010)) }
        #expect(database.asked == ["new", "pool", "pool", "new"])
    }

    @Test("If only new sessions fail, the server is unready, and one is checked each second until it succeeds")
    func newSessions() throws {
        let readiness = readiness()
        try readiness.check(now: start)
        database.set(newFails: true)
        try readiness.check(now: start + .seconds(9))
        _ = database.asked
        for milliseconds in [10_000, 10_100, 10_900, 11_000] {
            #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .milliseconds(milliseconds)) }
        }
        #expect(database.asked == ["new", "new"])
        database.set()
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .milliseconds(11_900)) }
        try readiness.check(now: start + .seconds(12))
        #expect(database.asked == ["new", "pool"])
    }

    @Test("Without room for a new session, the pool decides")
    func noRoom() throws {
        let readiness = readiness()
        database.set(room: false)
        try readiness.check(now: start)
        database.set(poolFails: true, room: false)
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .seconds(10)) }
        #expect(database.asked == ["pool", "pool"])
    }

    @Test(
        "The server is unready if the audit cannot be written, with and without room for a new session",
        arguments: [true, false])
    func proof(room: Bool) throws {
        let readiness = readiness()
        database.set(room: room, proofFails: true)
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start) }
        database.set(room: room)
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start + .milliseconds(900)) }
        try readiness.check(now: start + .seconds(1))
    }

    @Test("The server is unready while another of its parts reports an error")
    func causes() throws {
        let box = Box()
        let readiness = readiness(causes: [{ nil }, { box.value }])
        try readiness.check(now: start)
        box.set(.unavailable(SQLState("53100"), "no space left"))
        #expect(throws: PostgreSQLError.self) { try readiness.check(now: start) }
        box.set(nil)
        try readiness.check(now: start)
    }

    @Test("The queries are those of all endpoints, for an organization that does not exist")
    func queries() {
        let queries = Routes.readinessQueries(organization: Readiness.organization)
        #expect(queries.count == Routes.endpoints.count)
        #expect(queries.allSatisfy { $0.parameters.first == "" })
    }
}
