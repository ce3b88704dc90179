import API
import Cache
import PostgreSQL
import Synchronization
import Threads

/// A cache of responses. A response is valid as long as its organization's state is unchanged.
///
/// Every request queries the database. If a response to the same request is cached, the query is ``probe``, which reads
/// the organization's state by an index. If the response was computed from that state, it is sent with the probe's
/// time. Otherwise a new response is computed. Nothing expires by time. The proof that this is exact, also with several
/// servers, is in docs/design.md, "Why an equal state is enough".
///
/// The proof has two conditions for this file. The state is read in the transaction that computes the response, in a
/// statement before it. The key contains everything else that the response depends on.
final class ResponseCache: Sendable {
    /// Runs ``probe`` and then a query in the same transaction. Returns the rows of each.
    typealias Database =
        @Sendable (_ probe: Statement, _ query: Query?, _ organization: String) throws(PostgreSQLError) -> BoundResults

    /// The current contents, and the counts since the start.
    struct Statistics {
        var hits = 0
        var misses = 0
        var evictions = 0
        var responses = 0
        var bytes = 0
    }

    /// The columns of ``probe``, and the first ones of a statement that may replace it.
    enum Column: Int, SelectedColumn {
        case state, now
    }

    /// Reads an organization's state. It also binds the transaction to the organization, which saves a statement.
    static let probe = Statement(
        name: "probe",
        sql: """
            SELECT \(Column.selected)
            FROM (
                SELECT set_config('reengagement.organization', $1, true) AS organization, \(Statement.sessionReset)
                OFFSET 0
            ) bound
            CROSS JOIN LATERAL re.probe(bound.organization) probe
            """)

    private let database: Database
    private typealias Store = RecentlyUsed<ResponseKey, CachedResponse>

    private let store: Monitor<Store>
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let evictions = Atomic<Int>(0)

    /// - Parameter capacity: the maximum size of all responses together, in bytes.
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

    /// The result of a lookup: a valid cached response, or the rows for a new one.
    enum Finding {
        case cached(CachedResponse, State)
        case computed(QueryResult, ResponseKey, State?)
    }

    /// Queries the state if a response is cached. Queries state and rows if none is cached or the state has changed.
    ///
    /// - Parameter cacheKey: the content of the response beyond the organization and the query's rows.
    func find(_ query: Query, cacheKey: String, organization: String) throws(PostgreSQLError) -> Finding {
        let key = ResponseKey(organization: organization, query: query, cacheKey: cacheKey)
        if let cached = store.withLock({ $0.find(key) }) {
            let state = State(try database(Self.probe, nil, organization))
            if let state, state.text == cached.state { return .cached(cached, state) }
            // An old state never returns. Without this response the next request needs one query instead of two.
            _ = store.withLock { $0.remove(key) { $0 === cached } }
        }
        let results = try database(Self.probe, query, organization)
        return .computed(try results.rows(), key, State(results))
    }

    /// The response of `endpoint` to the result of ``find(_:cacheKey:organization:)`` for its query and cache key.
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
            // Removed responses are freed after the lock is released.
            let (_, removed) = store.withLock { $0.insert(cached, for: key, size: cached.size) }
            evictions.add(removed.count, ordering: .relaxed)
            return response
        }
    }

    /// The result of a probe. Nil if the organization's derived data is not up to date.
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
