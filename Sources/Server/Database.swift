import PostgreSQL

/// The database as requests use it, with the known problems of its parts.
struct Database: Sendable {
    let pool: ConnectionPool
    let refreshes: Refreshes
    let watch: SettingsWatch
    let foundation: FoundationWatch
    let login: FoundationWatch
    private let writes = DiskFullWatch()

    init(
        pool: ConnectionPool, refreshes: Refreshes, watch: SettingsWatch, foundation: FoundationWatch,
        login: FoundationWatch
    ) {
        (self.pool, self.refreshes, self.watch) = (pool, refreshes, watch)
        (self.foundation, self.login) = (foundation, login)
    }

    /// The known reasons why it could not answer every request now.
    var causes: [Readiness.Cause] {
        [
            { [login] in login.trouble }, { [foundation] in foundation.trouble }, { [refreshes] in refreshes.trouble },
            { [writes] in writes.trouble },
        ]
    }

    /// - Parameter repeatable: whether the query only reads.
    func run(_ query: Query, organization: String, repeatable: Bool) throws(PostgreSQLError) -> QueryResult {
        if let error = login.troubleBeforeProof { throw error }
        guard repeatable else {
            return try writes.run { () throws(PostgreSQLError) in
                try pool.run(query, organization: organization, repeatable: false)
            }
        }
        guard let binding = refreshes.plainBinding(organization) else {
            return try pool.run(query, organization: organization)
        }
        return try pool.run(binding: binding, then: query, organization: organization).rows()
    }

    /// Runs a probe, which binds the transaction, and then a query in it. Returns the rows of each.
    func run(probe: Statement, then query: Query?, organization: String) throws(PostgreSQLError) -> BoundResults {
        if let error = login.troubleBeforeProof { throw error }
        return try pool.run(
            binding: refreshes.plainBinding(organization) ?? probe, then: query, organization: organization)
    }
}
