import API
import PostgreSQL
import Threads

/// Checks that the database can execute the endpoints' queries (docs/running.md, "Outside the API's own paths").
///
/// It runs these queries in the server's role, for an organization that cannot exist. An old session may still execute
/// queries that fail in a new one, because it has loaded its objects earlier. So a new session is checked every few
/// seconds. That check also writes an audit entry and rolls it back, because no response is sent that cannot be
/// recorded. Further checks within a second cost the database only one query each.
final class Readiness: Sendable {
    /// Runs the queries on one of the pool's connections.
    typealias Pooled = @Sendable (_ queries: [Query]) throws(PostgreSQLError) -> Void
    /// Runs the queries in a new session. False if none could be opened.
    typealias InNewSession = @Sendable (_ queries: [Query]) throws(PostgreSQLError) -> Bool

    /// The known error of another part of the server. Nil if there is none.
    typealias Cause = @Sendable () -> PostgreSQLError?

    /// An id that cannot exist (definitions.md section 1).
    static let organization = ""

    private struct State {
        var nextNewSession: ContinuousClock.Instant?
        var failure: PostgreSQLError?
        /// The time from which all queries run on a pooled connection again.
        var nextWhole: ContinuousClock.Instant?
    }

    private let pooled: Pooled
    private let inNewSession: InNewSession
    private let queries: [Query]
    private let causes: [Cause]
    private let state = Monitor(State())

    private static let pause = Duration.seconds(10)
    /// The pause if the last new session has failed.
    private static let pauseAfterFailure = Duration.seconds(1)
    private static let pauseOfPool = Duration.seconds(1)
    /// Writes an audit entry and rolls it back, in the database's function.
    static let proof = Query(Statement(name: "prove_audit", sql: "SELECT re.prove_audit()"))

    init(
        queries: [Query] = Routes.readinessQueries(organization: Readiness.organization), causes: [Cause] = [],
        pooled: @escaping Pooled, inNewSession: @escaping InNewSession
    ) {
        (self.queries, self.causes, self.pooled, self.inNewSession) = (queries, causes, pooled, inNewSession)
    }

    convenience init(pool: ConnectionPool, causes: [Cause]) {
        self.init(
            causes: causes,
            pooled: { (queries) throws(PostgreSQLError) in try pool.run(queries, organization: Readiness.organization)
            },
            inNewSession: { (queries) throws(PostgreSQLError) in
                try pool.runInNewSession(queries, organization: Readiness.organization)
            })
    }

    /// - Throws: the reason why the endpoints' queries could not be executed now.
    func check(now: ContinuousClock.Instant = .now) throws(PostgreSQLError) {
        if takeTurn(now) { try checkNewSession(now) }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        let isWhole = state.withLock { state in state.nextWhole.map { now >= $0 } ?? true }
        do throws(PostgreSQLError) {
            try pooled(isWhole ? queries : Array(queries.prefix(1)))
        } catch {
            // The pool's next session may succeed where this one failed. The next call checks with a new session.
            state.withLock { ($0.nextNewSession, $0.nextWhole) = (nil, nil) }
            throw error
        }
        for cause in causes { if let error = cause() { throw error } }
        if isWhole { state.withLock { $0.nextWhole = now + Self.pauseOfPool } }
    }

    /// True if the caller has to check a new session. Other callers use the last result meanwhile.
    private func takeTurn(_ now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if let next = state.nextNewSession, now < next { return false }
            state.nextNewSession = now + (state.failure == nil ? Self.pause : Self.pauseAfterFailure)
            return true
        }
    }

    private func checkNewSession(_ now: ContinuousClock.Instant) throws(PostgreSQLError) {
        do throws(PostgreSQLError) {
            // If no new session can be opened, the pool's open sessions still work. If it has none, its query fails.
            _ = try inNewSession(queries)
            try pooled([Self.proof])
            state.withLock { $0.failure = nil }
        } catch {
            state.withLock { ($0.failure, $0.nextNewSession) = (error, now + Self.pauseAfterFailure) }
            throw error
        }
    }
}
