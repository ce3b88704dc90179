import Logging

/// A warning for each request that took long, with the statement it ran: a hook after the answer.
struct SlowRequestLog: Sendable {
    let logger: Logger
    let threshold: Duration

    func write(_ observation: Observation) {
        guard observation.duration >= threshold else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(observation.requestID)", "method": "\(observation.method)",
            "route": "\(observation.route ?? "none")", "status": "\(observation.status)",
            "duration_us": "\(Int((observation.duration / .microseconds(1)).rounded()))",
        ]
        // The name, never the text or the parameters: those are health data.
        if let statement = observation.statement { metadata["statement"] = "\(statement)" }
        if let organization = observation.principal?.organization { metadata["organization"] = "\(organization)" }
        logger.warning("a slow request", metadata: metadata)
    }
}
