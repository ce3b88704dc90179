import JWT

/// The actions of other parts of the server for each request.
struct RequestHooks: Sendable {
    /// Called once the client is known, before anything is done for it; throws to refuse the request.
    let admit: @Sendable (Claims) throws -> Void
    /// Records a response before it is sent. False if that failed, so that it must not be sent.
    let record: @Sendable (AuditEntry) -> Bool
    /// Called for each event after the response was sent.
    let report: @Sendable (RequestEvent) -> Void
}

/// An event of a request, for metrics, logs and the audit.
enum RequestEvent: Sendable {
    /// A client without a valid token was answered 401.
    case refused(RefusedAttempt)
    /// A response was sent; the last event of each request.
    case answered(Observation)
}
