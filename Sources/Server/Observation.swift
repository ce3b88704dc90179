public import JWT

/// What is known of a request once it has been answered: for the log, the metrics and whoever keeps a record.
public struct Observation: Sendable {
    public let requestID: String
    /// The server's own, by which logs and audit are joined.
    public let serverRequestID: String
    public let method: String
    /// The route's template, never the path: a path may hold a patient's id.
    public let route: String?
    public let principal: Claims?
    public let status: Int
    public let duration: Duration
    public let timings: Timings
    /// The length of the body that came with it, as far as it was read.
    public var received = 0
    /// The length of the body that was sent.
    public let bytes: Int
    /// The class of the database's error, where there was one.
    public let databaseError: String?
    /// The name of the last statement that was run for it.
    public var statement: String?
}
