import Logging
import PostgreSQL
import Synchronization
import Testing
import Threads

@testable import Server

@Suite("What answers rest on")
struct FoundationWatchTests {
    /// A database that finds what it is told to, one answer after the other, the last for good.
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

    @Test("names what is missing, counts it, and says when it is there again")
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
        #expect(log.text().contains("there again"))
    }

    @Test("is no trouble where nothing is missing, and asks once")
    func nothing() {
        let watch = watch()
        database.set(.success([]))
        #expect(watch.trouble == nil)
        #expect(watch.trouble == nil)
        #expect(database.asked == 1)
        #expect(log.text().isEmpty)
    }

    @Test("takes nothing for missing that is there at the second look, as beside a migration")
    func beside() {
        let watch = watch()
        database.set(.success(["function a has been changed"]), .success([]))
        #expect(watch.trouble == nil)
        #expect(log.text().isEmpty)
    }

    @Test("an older schema, which has no list, is trouble")
    func olderSchema() {
        let watch = watch()
        database.set(.failure(.refused(SQLState("42883"), "function re.foundation_faults() does not exist")))
        #expect(watch.trouble?.description.contains("42883") == true)
        #expect(watch.count == 1)
    }

    @Test("knows nothing until the database has answered, and keeps what it knows while that is away")
    func away() {
        let watch = watch()
        database.set(.failure(.connectionLost("gone")))
        #expect(watch.trouble?.isTemporary == true)
        database.set(.success(["trigger a is missing"]))
        #expect(watch.trouble?.isTemporary == false)
        database.set(.failure(.connectionLost("gone")))
        watch.check()
        #expect(watch.trouble?.description.contains("trigger a is missing") == true)
        #expect(log.text().contains("could not be looked at"))
    }

    @Test("looks at the start by itself")
    func start() throws {
        let watch = watch()
        database.set(.success([]))
        try watch.start()
        #expect(database.waitUntilAsked())
        watch.stop()
    }

    @Test("makes the server unready")
    func readiness() throws {
        let watch = watch()
        database.set(.success(["trigger a is missing"]))
        let readiness = Readiness(
            queries: [], causes: [{ watch.trouble }], pooled: { _ throws(PostgreSQLError) in },
            anew: { _ throws(PostgreSQLError) in true })
        #expect(throws: PostgreSQLError.self) { try readiness.check() }
        database.set(.success([]))
        watch.check()
        try readiness.check()
    }

    @Test("answers nothing before the login is known to be bound, and from then on is only unready where it is not")
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

    @Test("only tells of a login that is not bound where any is accepted")
    func anyLogin() {
        let watch = watch(.login(.any))
        database.set(.success(["it is a superuser"]))
        #expect(watch.troubleBeforeProof == nil && watch.trouble == nil)
        watch.check()
        #expect(watch.trouble == nil && watch.count == 1)
        #expect(log.text().contains("it is a superuser"))
    }
}
