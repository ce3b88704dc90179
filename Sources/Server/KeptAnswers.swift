import API
import PostgreSQL
import Synchronization
import Threads

/// Answers that are sent again for as long as the database says that they would be computed again.
///
/// Every request asks the database. Where an answer to the same question is kept, it first asks for the organization's
/// state alone, one look by index: the state that the answer was computed in, and the answer is sent with that look's
/// clock in the place of its own; another, or none, and it is computed. `sql/flat/95_probe.sql` says why that is exact,
/// with several servers too. No time is measured and nothing expires.
///
/// What the argument needs of this file: a state is probed in the transaction that computes the answer, in a statement
/// before it; and the key holds all that the answer is made of.
final class KeptAnswers: Sendable {
    /// Runs ``probe``, and a query after it in the same transaction; returns the rows of each.
    typealias Database =
        @Sendable (_ probe: Statement, _ query: Query?, _ organization: String) throws(PostgreSQLError) -> [QueryResult]

    /// What is kept at one moment, and what came of looking since the start.
    struct Statistics {
        var hits = 0
        var misses = 0
        var evictions = 0
        var answers = 0
        var bytes = 0
    }

    /// Binds its transaction to the organization that it asks about, so that this needs no statement of its own.
    static let probe = Statement(
        name: "probe",
        sql: """
            SELECT p.state, p.now
            FROM (SELECT set_config('reengagement.organization', $1, true) AS organization, \(Statement.afresh) OFFSET 0) b
            CROSS JOIN LATERAL re.probe(b.organization) p
            """)

    private let database: Database
    private let store: Monitor<AnswerStore>
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)

    /// - Parameter capacity: how many bytes they may take together.
    init(capacity: Int, database: @escaping Database) {
        store = Monitor(AnswerStore(capacity: capacity))
        self.database = database
    }

    var statistics: Statistics {
        let (answers, bytes, evictions) = store.withLock { ($0.count, $0.bytes, $0.evictions) }
        return Statistics(
            hits: hits.load(ordering: .relaxed), misses: misses.load(ordering: .relaxed), evictions: evictions,
            answers: answers, bytes: bytes)
    }

    /// What has been found in the database: that a kept answer holds, or the rows of a new one.
    enum Finding {
        case kept(KeptAnswer, State)
        case computed(QueryResult, AnswerKey, State?)
    }

    /// Asks the database: for the state alone where an answer is kept, for state and rows where none is or holds.
    ///
    /// - Parameter cacheKey: what the response contains beyond the organization and the rows of the query.
    func find(_ query: Query, cacheKey: String, organization: String) throws(PostgreSQLError) -> Finding {
        let key = AnswerKey(organization: organization, query: query, cacheKey: cacheKey)
        if let kept = store.withLock({ $0.find(key) }) {
            let state = State(try database(Self.probe, nil, organization))
            if let state, state.text == kept.state { return .kept(kept, state) }
            // Its state does not come again; without it, the next to ask need not look twice.
            _ = store.withLock { $0.remove(kept) }
        }
        let results = try database(Self.probe, query, organization)
        guard results.count == 2 else { throw .unexpectedResult("\(results.count) results") }
        return .computed(results[1], key, State(results))
    }

    /// The answer to `endpoint`, whose query and cache key this was found for.
    func response(_ finding: Finding, to endpoint: some Endpoint) throws -> Response {
        switch finding {
        case .kept(let answer, let state):
            hits.add(1, ordering: .relaxed)
            return answer.response(at: state.now)
        case .computed(let rows, let key, let state):
            misses.add(1, ordering: .relaxed)
            let response = try endpoint.respond(to: rows)
            guard response.status == 200, let state else { return response }
            let answer = KeptAnswer(key: key, state: state.text, response: response)
            // What gives way to it is freed after the lock.
            _ = store.withLock { $0.insert(answer) }
            return response
        }
    }

    /// What a probe says of an organization that is current; there is none of another.
    struct State {
        let text: [UInt8]
        let now: [UInt8]

        init?(_ results: [QueryResult]) {
            guard let rows = results.first, rows.rowCount == 1 else { return nil }
            let field = { (column: Int) in rows[0].withBytes(column) { $0.map(Array.init) } }
            guard let text = field(0), let now = field(1) else { return nil }
            self.text = text
            self.now = now
        }
    }
}
