import Logging
import PostgreSQL
import Synchronization
import Testing
import Threads

@testable import Server

@Suite("The watch over the foundation")
struct FoundationWatchTests {
    /// A database that returns the given results in turn, and the last one forever.
    final class Database: Sendable {
        private let answers = Monitor((next: [Result<[String], PostgreSQLError>](), asked: 0))

        func set(_ next: Result<[String], PostgreSQLError>...) { answers.withLock { $0.next = next } }

        var asked: Int { answers.withLock { $0.asked } }

        func waitUntilAsked() -> Bool {
            answers.wait(until: .now + .seconds(60)) { $0.asked > 0 ? true : nil } ?? false
        }

        func run(_ query: Query) throws(PostgreSQLError) -> QueryResult {
            let answer = answers.withLock { answers in
                answers.asked += 1
                return answers.next.count > 1 ? answers.next.removeFirst() : answers.next[0]
            }
            answers.notifyAll()
            guard let result = QueryResult.make(columns: ["fault"], rows: try answer.get().map { [$0] }) else {
                throw .unexpectedResult("no memory")
            }
            return result
        }
    }

    let database = Database()
    let log = CapturedLog()

    private func watch(_ subject: FoundationWatch.Subject = .foundation) -> FoundationWatch {
        FoundationWatch(
            subject, database: { [database] (query) throws(PostgreSQLError) in try database.run(query) },
            logger: Logger(label: "test") { [log] _ in
                StructuredLogHandler(sink: log.sink, format: .text, level: LogLevel(.info))
            })
    }

    @Test("Missing objects are named, counted and logged, as is their return")
    func missing() {
        let watch = watch()
        database.set(.success(["trigger a is missing", "policy b is missing"]))
        #expect(watch.trouble?.description.contains("trigger a is missing; policy b is missing") == true)
        #expect(watch.count == 2)
        #expect(log.text().contains("run migrate"))
        watch.check()
        #expect(log.text().isEmpty)
        database.set(.success([]))
        watch.check()
        #expect(watch.trouble == nil && watch.count == 0)
        #expect(log.text().contains("complete again"))
    }

    @Test("Without a missing object there is no error, and the database is queried once")
    func complete() {
        let watch = watch()
        database.set(.success([]))
        #expect(watch.trouble == nil)
        #expect(watch.trouble == nil)
        #expect(database.asked == 1)
        #expect(log.text().isEmpty)
    }

    @Test("An object that a second check finds, as during a migration, is not missing")
    func duringMigration() {
        let watch = watch()
        database.set(.success(["function a has been changed"]), .success([]))
        #expect(watch.trouble == nil)
        #expect(log.text().isEmpty)
    }

    @Test("An older schema without the function that lists missing objects is an error")
    func olderSchema() {
        let watch = watch()
        database.set(.failure(.refused(SQLState("42883"), "function re.foundation_faults() does not exist")))
        #expect(watch.trouble?.description.contains("42883") == true)
        #expect(watch.count == 1)
    }

    @Test("The result is unknown until the database responds, and stays while the database is away")
    func away() {
        let watch = watch()
        database.set(.failure(.connectionLost("gone")))
        #expect(watch.trouble?.isTemporary == true)
        database.set(.success(["trigger a is missing"]))
        #expect(watch.trouble?.isTemporary == false)
        database.set(.failure(.connectionLost("gone")))
        watch.check()
        #expect(watch.trouble?.description.contains("trigger a is missing") == true)
        #expect(log.text().contains("could not be checked"))
    }

    @Test("The first check runs at the start")
    func start() throws {
        let watch = watch()
        database.set(.success([]))
        try watch.start()
        #expect(database.waitUntilAsked())
        watch.stop()
    }

    @Test("A missing object makes the server unready")
    func readiness() throws {
        let watch = watch()
        database.set(.success(["trigger a is missing"]))
        let readiness = Readiness(
            queries: [], causes: [{ watch.trouble }], pooled: { _ throws(PostgreSQLError) in },
            inNewSession: { _ throws(PostgreSQLError) in true })
        #expect(throws: PostgreSQLError.self) { try readiness.check() }
        database.set(.success([]))
        watch.check()
        try readiness.check()
    }

    @Test("No request is served until the login is proven bound, and a later failure only makes the server unready")
    func login() {
        let watch = watch(.login(.bound))
        database.set(.failure(.connectionLost("gone")))
        #expect(watch.troubleBeforeProof?.cause == .connectionLost)
        database.set(.success(["it is a superuser"]))
        #expect(watch.troubleBeforeProof?.cause == .loginRefused)
        #expect(watch.trouble?.cause == .loginRefused)
        #expect(log.text().contains("it is a superuser"))
        database.set(.success([]))
        watch.check()
        #expect(watch.troubleBeforeProof == nil && watch.trouble == nil)
        database.set(.success(["it is a superuser"]))
        watch.check()
        #expect(watch.troubleBeforeProof == nil)
        #expect(watch.trouble?.cause == .loginRefused && watch.count == 1)
    }

    @Test("If any login is accepted, an unbound one is only logged")
    func anyLogin() {
        let watch = watch(.login(.any))
        database.set(.success(["it is a superuser"]))
        #expect(watch.troubleBeforeProof == nil && watch.trouble == nil)
        watch.check()
        #expect(watch.trouble == nil && watch.count == 1)
        #expect(log.text().contains("it is a superuser"))
    }
}
