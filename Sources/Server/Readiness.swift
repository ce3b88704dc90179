import API
import PostgreSQL
import Threads

/// Whether the database can answer the endpoints' queries (running.md, "Outside the API's own paths").
///
/// It runs these queries, as the server's role, for an organization that cannot exist. An old session may answer
/// queries that a new one cannot, as it has loaded its objects earlier, so a new session is checked every few seconds.
/// An entry of the audit is written with it and rolled back, since no response is sent that cannot be recorded. More
/// than one check in a second costs the database only one query each.
final class Readiness: Sendable {
    /// Runs the queries on one of the pool's connections.
    typealias Pooled = @Sendable (_ queries: [Query]) throws(PostgreSQLError) -> Void
    /// Runs them in a session that is opened for them. Returns false if none could be opened.
    typealias Anew = @Sendable (_ queries: [Query]) throws(PostgreSQLError) -> Bool

    /// A known trouble of another part of the server. Nil if there is none.
    typealias Cause = @Sendable () -> PostgreSQLError?

    /// No id is empty (definitions.md section 1).
    static let organization = ""

    private struct State {
        var nextNewSession: ContinuousClock.Instant?
        var failure: PostgreSQLError?
        /// When the pool is to be asked everything again.
        var nextWhole: ContinuousClock.Instant?
    }

    private let pooled: Pooled
    private let anew: Anew
    private let queries: [Query]
    private let causes: [Cause]
    private let state = Monitor(State())

    private static let pause = Duration.seconds(10)
    /// The same where the last new session has failed.
    private static let pauseAfterFailure = Duration.seconds(1)
    private static let pauseOfPool = Duration.seconds(1)
    /// Writes an entry and takes it back, in the database's own function.
    static let proof = Query(Statement(name: "prove_audit", sql: "SELECT re.prove_audit()"))

    init(
        queries: [Query] = Routes.readinessQueries(organization: Readiness.organization), causes: [Cause] = [],
        pooled: @escaping Pooled, anew: @escaping Anew
    ) {
        (self.queries, self.causes, self.pooled, self.anew) = (queries, causes, pooled, anew)
    }

    convenience init(pool: ConnectionPool, causes: [Cause]) {
        self.init(
            causes: causes,
            pooled: { (queries) throws(PostgreSQLError) in try pool.run(queries, organization: Readiness.organization)
            },
            anew: { (queries) throws(PostgreSQLError) in
                try pool.runInNewSession(queries, organization: Readiness.organization)
            })
    }

    /// - Throws: why the endpoints could not be answered now.
    func check(now: ContinuousClock.Instant = .now) throws(PostgreSQLError) {
        if takeTurn(now) { try checkNewSession(now) }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        let isWhole = state.withLock { state in state.nextWhole.map { now >= $0 } ?? true }
        do throws(PostgreSQLError) {
            try pooled(isWhole ? queries : Array(queries.prefix(1)))
        } catch {
            // The pool's next session may succeed where this one failed. A new session shows which is the rule.
            state.withLock { ($0.nextNewSession, $0.nextWhole) = (nil, nil) }
            throw error
        }
        for cause in causes { if let error = cause() { throw error } }
        if isWhole { state.withLock { $0.nextWhole = now + Self.pauseOfPool } }
    }

    /// Whether the caller is to check a new session. Other callers use the last result meanwhile.
    private func takeTurn(_ now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if let next = state.nextNewSession, now < next { return false }
            state.nextNewSession = now + (state.failure == nil ? Self.pause : Self.pauseAfterFailure)
            return true
        }
    }

    private func checkNewSession(_ now: ContinuousClock.Instant) throws(PostgreSQLError) {
        do throws(PostgreSQLError) {
            // If none can be opened, the open ones go on serving; if there are none, the pool's query fails.
            _ = try anew(queries)
            try pooled([Self.proof])
            state.withLock { $0.failure = nil }
        } catch {
            state.withLock { ($0.failure, $0.nextNewSession) = (error, now + Self.pauseAfterFailure) }
            throw error
        }
    }
}
