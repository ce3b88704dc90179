/// The results of a statement that binds a transaction, and of a query after it.
public struct BoundResults {
    /// The rows of the binding statement.
    public let binding: QueryResult
    private let query: QueryResult?

    /// - Parameter query: nil if no query followed.
    public init(binding: QueryResult, query: QueryResult?) {
        (self.binding, self.query) = (binding, query)
    }

    /// The rows of the query.
    public func rows() throws(PostgreSQLError) -> QueryResult {
        guard let query else { throw .unexpectedResult("no results") }
        return query
    }
}
