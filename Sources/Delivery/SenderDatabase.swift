internal import Logging
public import PostgreSQL
internal import Threads

/// The database as the senders use it.
public struct SenderDatabase: Sendable {
    /// Runs a query bound to an organization. "" is for queries across all of them.
    public typealias Run = @Sendable (_ query: Query, _ organization: String) throws(PostgreSQLError) -> QueryResult

    private let run: Run

    public init(_ run: @escaping Run) { self.run = run }

    func ask(_ query: Query, organization: String = "") throws(PostgreSQLError) -> QueryResult {
        try run(query, organization)
    }

    /// Records an outcome. It is tried again for a while, since the outcome would be lost otherwise.
    ///
    /// - Parameter end: the time of the last attempt.
    func record(_ query: Query, until end: ContinuousClock.Instant) throws(PostgreSQLError) {
        while true {
            do throws(PostgreSQLError) {
                _ = try run(query, "")
                return
            } catch {
                guard error.isTemporary, .now + Self.pause < end else { throw error }
                Thread.sleep(Self.pause)
            }
        }
    }

    private static let pause = Duration.milliseconds(500)
}

extension PostgreSQLError {
    var metadata: Logger.Metadata { ["class": "\(kind)", "reason": "\(self)"] }
}
