import PostgreSQL

/// The database as the pipeline uses it. Tests replace it.
struct RequestDatabase: Sendable {
    /// Runs a query bound to an organization. A repeatable query is retried if the connection broke.
    let run:
        @Sendable (_ query: Query, _ organization: String, _ repeatable: Bool) throws(PostgreSQLError) -> QueryResult
    /// Throws the reason why the endpoints' queries could not be executed now.
    let checkReadiness: @Sendable () throws(PostgreSQLError) -> Void
    /// The calling thread's total wait for connections.
    let timeWaited: @Sendable () -> Duration
}
