import JWT

/// The calls from the pipeline to other parts of the server.
struct RequestHooks: Sendable {
    /// Called once the client is authenticated. It throws to refuse the request.
    let admit: @Sendable (Claims) throws -> Void
    /// Records a response before it is sent. False if that failed, so that the response must not be sent.
    let record: @Sendable (AuditEntry) -> Bool
    /// Whether it is the first stream of its subject in an hour. Only that one is recorded.
    var isFirstOpening: @Sendable (Claims) -> Bool = { _ in true }
    /// Called if the first stream could not be recorded.
    var forgetOpening: @Sendable (Claims) -> Void = { _ in }
    /// Called for each event, after the response was sent.
    let report: @Sendable (RequestEvent) -> Void
}

/// An event of a request, for metrics, logs and the audit.
enum RequestEvent: Sendable {
    /// A 401 was sent to a client without a valid token.
    case refused(RefusedAttempt)
    /// A response was sent. It is the last event of each request.
    case answered(Observation)
}
