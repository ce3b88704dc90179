import API
import Cache
import PostgreSQL
import Synchronization
import Threads

/// A cache of responses, each of which is valid as long as its organization's state is the same.
///
/// Every request queries the database. If a response to the same request is cached, the query is ``probe``: it reads the
/// organization's state by an index. If that is the state in which the response was computed, the response is sent, with
/// the probe's clock as its time of answering. Otherwise the response is computed. `sql/flat/95_probe.sql` has the proof
/// that this is exact, with several servers too. Nothing expires by time.
///
/// The proof requires two things of this file. The state is read in the transaction that computes the response, in a
/// statement before it. And the key contains everything that the response depends on.
final class ResponseCache: Sendable {
    /// Runs ``probe``, and a query after it in the same transaction. Returns the rows of each.
    typealias Database =
        @Sendable (_ probe: Statement, _ query: Query?, _ organization: String) throws(PostgreSQLError) -> BoundResults

    /// The contents now, and the counts since the start.
    struct Statistics {
        var hits = 0
        var misses = 0
        var evictions = 0
        var responses = 0
        var bytes = 0
    }

    /// The columns of ``probe``, and the first ones of a statement that may run in its place.
    enum Column: Int, SelectedColumn {
        case state, now
    }

    /// Reads the state of an organization. It also binds the transaction to the organization, which saves a statement.
    static let probe = Statement(
        name: "probe",
        sql: """
            SELECT \(Column.selected)
            FROM (SELECT set_config('reengagement.organization', $1, true) AS organization, \(Statement.afresh) OFFSET 0) b
            CROSS JOIN LATERAL re.probe(b.organization) p
            """)

    private let database: Database
    private typealias Store = RecentlyUsed<ResponseKey, CachedResponse>

    private let store: Monitor<Store>
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let evictions = Atomic<Int>(0)

    /// - Parameter capacity: the most bytes of all responses together.
    init(capacity: Int, database: @escaping Database) {
        store = Monitor(Store(mostBytes: capacity))
        self.database = database
    }

    var statistics: Statistics {
        let (responses, bytes) = store.withLock { ($0.count, $0.bytes) }
        return Statistics(
            hits: hits.load(ordering: .relaxed), misses: misses.load(ordering: .relaxed),
            evictions: evictions.load(ordering: .relaxed), responses: responses, bytes: bytes)
    }

    /// The result of asking the database: a cached response that is valid, or the rows for a new one.
    enum Finding {
        case cached(CachedResponse, State)
        case computed(QueryResult, ResponseKey, State?)
    }

    /// Reads the state alone if a response is cached, and state and rows if none is or its state has changed.
    ///
    /// - Parameter cacheKey: what the response contains beyond the organization and the rows of the query.
    func find(_ query: Query, cacheKey: String, organization: String) throws(PostgreSQLError) -> Finding {
        let key = ResponseKey(organization: organization, query: query, cacheKey: cacheKey)
        if let cached = store.withLock({ $0.find(key) }) {
            let state = State(try database(Self.probe, nil, organization))
            if let state, state.text == cached.state { return .cached(cached, state) }
            // An old state never returns. Without the response the next request needs one query instead of two.
            _ = store.withLock { $0.remove(key) { $0 === cached } }
        }
        let results = try database(Self.probe, query, organization)
        return .computed(try results.rows(), key, State(results))
    }

    /// The response of `endpoint`, for whose query and cache key ``find(_:cacheKey:organization:)`` was called.
    func response(_ finding: Finding, to endpoint: some Endpoint) throws -> Response {
        switch finding {
        case .cached(let cached, let state):
            hits.add(1, ordering: .relaxed)
            return cached.response(at: state.now)
        case .computed(let rows, let key, let state):
            misses.add(1, ordering: .relaxed)
            let response = try endpoint.respond(to: rows)
            guard response.status == 200, let state else { return response }
            let cached = CachedResponse(key: key, state: state.text, response: response)
            // The responses that are removed are freed after the lock.
            let (_, removed) = store.withLock { $0.insert(cached, for: key, size: cached.size) }
            evictions.add(removed.count, ordering: .relaxed)
            return response
        }
    }

    /// The result of a probe; nil unless the organization's derived data is up to date.
    struct State {
        let text: [UInt8]
        let now: [UInt8]

        init?(_ results: BoundResults) {
            guard results.binding.rowCount == 1 else { return nil }
            let row = results.binding[0]
            guard let text = row.bytes(Column.state), let now = row.bytes(Column.now) else { return nil }
            self.text = text
            self.now = now
        }
    }
}
