import PostgreSQL

/// The database as the pipeline uses it, which tests replace.
struct RequestDatabase: Sendable {
    /// Runs a query bound to an organization, again after a broken connection if it is repeatable.
    let run:
        @Sendable (_ query: Query, _ organization: String, _ repeatable: Bool) throws(PostgreSQLError) -> QueryResult
    /// Throws the reason where the endpoints could not be answered.
    let checkReadiness: @Sendable () throws(PostgreSQLError) -> Void
    /// How long the calling thread has waited for connections since it was started.
    let timeWaited: @Sendable () -> Duration
}
