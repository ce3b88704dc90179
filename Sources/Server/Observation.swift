/// The properties of a request and its response, for the logs, the metrics and the audit.
public struct Observation: Sendable {
    public let requestID: String
    /// The server's own id, which joins logs and audit.
    public let serverRequestID: String
    public let method: String
    /// The route's template, never the path: a path may hold a patient's id.
    public let route: String?
    public let principal: Principal?
    public let status: Int
    public let duration: Duration
    public let timings: Timings
    /// The length of the request's body, as far as it was read.
    public var received = 0
    /// The length of the response's body.
    public let bytes: Int
    /// The class of the database's error, if there was one.
    public let databaseError: String?
    /// The name of the last statement that ran for it.
    public var statement: String?
}
