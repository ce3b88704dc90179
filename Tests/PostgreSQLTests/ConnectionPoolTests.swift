import Glibc
import Synchronization
import Testing
import Threads

@testable import PostgreSQL

/// The database that `make test` starts. Without one, the suite is reported as skipped.
private let databaseURL = getenv("TEST_DATABASE_URL").map { String(cString: $0) }

@Suite("The connection pool", .enabled(if: databaseURL != nil, "TEST_DATABASE_URL names no database"))
struct ConnectionPoolTests {
    private func parameters(role: String = "none", timeout: Duration = .seconds(5)) throws -> ConnectionParameters {
        try ConnectionParameters(
            connectionString: try #require(databaseURL), role: role, statementTimeout: timeout)
    }

    private func pool(
        capacity: Int = 2, acquireTimeout: Duration = .seconds(60), timeout: Duration = .seconds(5)
    ) throws -> ConnectionPool {
        ConnectionPool(
            parameters: try parameters(timeout: timeout), capacity: capacity, acquireTimeout: acquireTimeout)
    }

    private func query(_ sql: String, _ parameters: [String?] = []) -> Query {
        Query(Statement(name: "test: \(sql)", sql: sql), parameters)
    }

    /// Runs a statement that returns no rows.
    private func execute(_ pool: ConnectionPool, _ sql: String) throws {
        do throws(PostgreSQLError) {
            _ = try pool.run(query(sql), organization: "o", repeatable: false)
        } catch {
            guard case .unexpectedResult = error else { throw error }
        }
    }

    @Test("The result has rows, NULLs and text in any script")
    func rows() throws {
        let result = try pool().run(query("SELECT $1::text, NULL, 'Ōtaki 😀'", ["O'Brien"]), organization: "o")
        #expect(result.rowCount == 1)
        #expect(result[0].text(0) == "O'Brien")
        #expect(result[0].isNull(1))
        #expect(result[0].text(2) == "Ōtaki 😀")
        #expect(result[0].text(3) == nil)
    }

    @Test("Each statement is bound to its organization, without effect on the next one")
    func organization() throws {
        let pool = try pool(capacity: 1)
        let read = query("SELECT current_setting('reengagement.organization')")
        for organization in ["org_a", "org_b", "Ō' \\ ;--"] {
            #expect(try pool.run(read, organization: organization)[0].text(0) == organization)
        }
        #expect(pool.statistics.idle == 1)
    }

    @Test("A statement is prepared again if the columns of its function have changed")
    func outdatedPlan() throws {
        let pool = try pool(capacity: 1)
        let function = "public.outdated_plan(integer)"
        defer { try? execute(pool, "DROP FUNCTION IF EXISTS \(function)") }
        for type in ["integer", "text", "bigint"] {
            try execute(pool, "DROP FUNCTION IF EXISTS \(function)")
            try execute(pool, "CREATE FUNCTION \(function) RETURNS \(type) LANGUAGE sql RETURN $1")
            let result = try pool.run(
                query("SELECT public.outdated_plan($1)", ["7"]), organization: "o", repeatable: false)
            #expect(result[0].text(0) == "7")
        }
        #expect(pool.statistics.idle == 1)
        try execute(pool, "DROP FUNCTION \(function)")
        #expect(throws: PostgreSQLError.self) {
            do throws(PostgreSQLError) {
                _ = try pool.run(query("SELECT public.outdated_plan($1)", ["7"]), organization: "o")
            } catch {
                if case .refused(SQLState("42883"), _) = error { throw error }
            }
        }
    }

    @Test("A statement that binds itself and the next one run in the same transaction")
    func bindingStatement() throws {
        let pool = try pool(capacity: 1)
        let binding = Statement(
            name: "binding", sql: "SELECT set_config('reengagement.organization', $1, true), now()")
        let read = query("SELECT current_setting('reengagement.organization'), now()")
        for organization in ["org_a", "org_b"] {
            let results = try pool.run(binding: binding, then: read, organization: organization)
            let (bound, rows) = (results.binding[0], try results.rows()[0])
            #expect([bound.text(0), rows.text(0)] == [organization, organization])
            #expect(bound.text(1) == rows.text(1))
            let alone = try pool.run(binding: binding, then: nil, organization: organization)
            #expect(alone.binding.rowCount == 1)
            #expect(throws: PostgreSQLError.self) { try alone.rows() }
            #expect(try pool.run(query("SELECT 1"), organization: "")[0].int(0) == 1)
        }
        #expect(throws: PostgreSQLError.self) {
            try pool.run(binding: binding, then: query("SELECT 1 / 0"), organization: "o")
        }
        #expect(try pool.run(read, organization: "p")[0].text(0) == "p")
        #expect(pool.statistics.idle == 1)
    }

    @Test("A connection prepares each statement once")
    func prepared() throws {
        let pool = try pool(capacity: 1)
        for _ in 0..<3 { _ = try pool.run(query("SELECT 1"), organization: "o") }
        let count = query("SELECT count(*) FROM pg_prepared_statements WHERE name = 'test: SELECT 1'")
        #expect(try pool.run(count, organization: "o")[0].int(0) == 1)
    }

    @Test("A refused statement does not end its connection")
    func refused() throws {
        let pool = try pool(capacity: 1)
        let process = query("SELECT pg_backend_pid()")
        let before = try pool.run(process, organization: "o")[0].int(0)
        for _ in 0..<2 {
            let error = #expect(throws: PostgreSQLError.self) {
                try pool.run(query("SELECT 1 / $1::int", ["0"]), organization: "o")
            }
            guard case .refused(let state, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(state == SQLState("22012"))
        }
        #expect(throws: PostgreSQLError.self) { try pool.run(query("SELEKT"), organization: "o") }
        #expect(try pool.run(process, organization: "o")[0].int(0) == before)
    }

    @Test("A wrong number of parameters is an error")
    func bindCount() throws {
        #expect(throws: PostgreSQLError.self) { try pool().run(query("SELECT $1::text"), organization: "o") }
    }

    @Test("A statement is cancelled at its deadline, and the connection is reused")
    func timeout() throws {
        let pool = try pool(capacity: 1, timeout: .seconds(1))
        let error = #expect(throws: PostgreSQLError.self) {
            try pool.run(query("SELECT pg_sleep(30)"), organization: "o")
        }
        #expect(error?.kind == "statement_timeout")
        #expect(pool.statistics.idle == 1)
        _ = try pool.run(query("SELECT 1"), organization: "o")
    }

    @Test("A connection is closed if the database does not respond at all")
    func hangs() throws {
        let pool = try pool(capacity: 1, timeout: .seconds(2))
        let process = try #require(try pool.run(query("SELECT pg_backend_pid()"), organization: "o")[0].int(0))
        kill(pid_t(process), SIGSTOP)
        defer { kill(pid_t(process), SIGCONT) }
        let error = #expect(throws: PostgreSQLError.self) { try pool.run(query("SELECT 2"), organization: "o") }
        #expect(error?.kind == "statement_timeout")
        #expect(pool.statistics.idle == 0)
        _ = try pool.run(query("SELECT 3"), organization: "o")
    }

    @Test("A connection that the server ended while it was idle is replaced")
    func staleConnection() throws {
        let (pool, other) = (try pool(capacity: 1), try pool(capacity: 1))
        let process = query("SELECT pg_backend_pid()")
        let before = try #require(try pool.run(process, organization: "o")[0].int(0))
        _ = try other.run(query("SELECT pg_terminate_backend($1::int, 5000)", [String(before)]), organization: "o")
        let after = try pool.run(process, organization: "o")[0].int(0)
        #expect(after != before)
        #expect(pool.statistics.idle == 1)
    }

    @Test("A read is repeated after its connection broke, and a write is not")
    func repetition() throws {
        let pool = try pool(capacity: 1)
        // A sequence counts the attempts, since a rollback does not reset it.
        let sequence = "attempts_\(getpid())"
        try execute(pool, "CREATE SEQUENCE public.\(sequence)")
        let attempt = query(
            "SELECT nextval('public.\(sequence)'), pg_terminate_backend(pg_backend_pid()), pg_sleep(30)")
        #expect(throws: PostgreSQLError.self) { try pool.run(attempt, organization: "o", repeatable: false) }
        let count = query("SELECT last_value FROM public.\(sequence)")
        #expect(try pool.run(count, organization: "o")[0].int(0) == 1)
        #expect(throws: PostgreSQLError.self) { try pool.run(attempt, organization: "o") }
        #expect(try pool.run(count, organization: "o")[0].int(0) == 3)
        try execute(pool, "DROP SEQUENCE public.\(sequence)")
        #expect(pool.statistics.leased == 0)
        _ = try pool.run(query("SELECT 1"), organization: "o")
    }

    @Test("A caller waits for a connection no longer than its deadline")
    func acquireTimeout() throws {
        let pool = try pool(capacity: 1, acquireTimeout: .milliseconds(100), timeout: .seconds(30))
        // On a busy machine, opening a connection may take longer than that.
        while (try? pool.run(query("SELECT 1"), organization: "o")) == nil {}
        let timeouts = pool.statistics.timeouts
        let outcomes = Mutex<[String]>([])
        let threads = try (0..<3).map { _ in
            try Thread.start {
                let outcome: String
                do throws(PostgreSQLError) {
                    _ = try pool.run(
                        Query(Statement(name: "sleep", sql: "SELECT pg_sleep(5)")), organization: "o")
                    outcome = "rows"
                } catch { outcome = error.kind }
                outcomes.withLock { $0.append(outcome) }
            }
        }
        for thread in threads { thread.join() }
        #expect(outcomes.withLock { $0.sorted() } == ["acquire_timeout", "acquire_timeout", "rows"])
        #expect(pool.statistics.timeouts == timeouts + 2)
        #expect(pool.statistics.waiting == 0)
    }

    @Test("Many threads share a few connections, and no connection is lost")
    func contention() throws {
        let pool = try pool(capacity: 3, acquireTimeout: .seconds(30))
        let sum = Mutex(0)
        let threads = try (0..<8).map { index in
            try Thread.start {
                for round in 0..<50 {
                    let number = String(index * 50 + round)
                    let result = try? pool.run(
                        Query(Statement(name: "echo", sql: "SELECT $1::int"), [number]), organization: "o")
                    sum.withLock { $0 += result?[0].int(0) ?? 0 }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(sum.withLock { $0 } == 399 * 400 / 2)
        #expect(pool.statistics.leased == 0)
        #expect(pool.statistics.idle <= 3)
    }

    @Test("Without a listening database, the error is a lost connection, without a wait")
    func noListener() throws {
        let parameters = try ConnectionParameters(
            connectionString: "host=/nonexistent dbname=x", role: "none", statementTimeout: .seconds(1))
        let pool = ConnectionPool(parameters: parameters, capacity: 1, acquireTimeout: .seconds(30))
        let error = #expect(throws: PostgreSQLError.self) { try pool.run(query("SELECT 1"), organization: "o") }
        #expect(error?.kind == "connection_lost")
        #expect(pool.statistics.leased == 0)
    }

    @Test("After a host that does not respond, the next one is tried, and from then on it is tried first")
    func silentHost() throws {
        let silent = try SilentListener()
        let second = try parameters().keywords.filter { $0.keyword == "host" || $0.keyword == "port" }
        let place = Dictionary(uniqueKeysWithValues: second.map { ($0.keyword, $0.value) })
        let parameters = try ConnectionParameters(
            connectionString: "host=127.0.0.1,\(place["host"] ?? "") port=\(silent.port),\(place["port"] ?? "5432") "
                + "dbname=reengagement user=postgres",
            role: "none", statementTimeout: .seconds(30))
        let pool = ConnectionPool(parameters: parameters, capacity: 2, acquireTimeout: .seconds(4))
        _ = try pool.run(query("SELECT 1"), organization: "o")
        let attempts = silent.attempts()
        #expect(attempts > 0)
        // This needs a second connection, since the first is busy.
        let sleep = query("SELECT pg_sleep(3)")
        let thread = try Thread.start { _ = try? pool.run(sleep, organization: "o") }
        while pool.statistics.leased == 0 { Thread.sleep(.milliseconds(1)) }
        _ = try pool.run(query("SELECT 1"), organization: "o")
        #expect(pool.statistics.idle + pool.statistics.leased == 2)
        thread.join()
        #expect(silent.attempts() == 0)
    }
}

@Suite("A query result")
struct QueryResultTests {
    @Test("A result has the fields that it was made with, and no field beyond them")
    func make() throws {
        let result = try #require(QueryResult.make(columns: ["a", "b"], rows: [["1", nil], ["é", "x"]]))
        #expect(result.rowCount == 2)
        #expect(result.columnCount == 2)
        #expect(result[0].int(0) == 1)
        #expect(result[0].isNull(1))
        #expect(result[1].text(0) == "é")
        #expect(result[5].text(0) == nil)
        #expect(QueryResult.make(columns: ["a"], rows: [["1", "2"]]) == nil)
    }
}

/// Lets the kernel accept connections, and sends nothing.
private final class SilentListener {
    private let descriptor: CInt
    let port: UInt16

    init() throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) + listen(descriptor, 16) + getsockname(descriptor, $0, &length)
            }
        }
        try #require(result == 0)
        port = UInt16(bigEndian: address.sin_port)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    /// The number of connections since the last call.
    func attempts() -> Int {
        var count = 0
        while true {
            let caller = accept(descriptor, nil, nil)
            guard caller >= 0 else { return count }
            close(caller)
            count += 1
        }
    }

    deinit { close(descriptor) }
}
