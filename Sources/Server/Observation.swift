public import JWT

/// The properties of a finished request and its response, for the logs, the metrics and the audit.
public struct Observation: Sendable {
    public let requestID: String
    /// The server's own id, which is in the logs and in the audit.
    public let serverRequestID: String
    public let method: String
    /// The route's template. The path itself may contain a patient's id.
    public let route: String?
    public let principal: Claims?
    public let status: Int
    public let duration: Duration
    public let timings: Timings
    /// The number of bytes of the request's body that were read.
    public var received = 0
    /// The length of the response's body.
    public let bytes: Int
    /// The class of the database error, if there was one.
    public let databaseError: String?
    /// The name of the last statement that ran for the request.
    public var statement: String?
}
