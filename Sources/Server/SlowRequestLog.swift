import Logging

/// Writes a warning for each slow request after its response, with the name of its statement.
struct SlowRequestLog: Sendable {
    let sink: LogSink
    let format: LogFormat
    let level: LogLevel
    let threshold: Duration

    func write(_ observation: Observation) {
        guard observation.duration >= threshold, level.current <= .warning else { return }
        let warning = Logger.Level.warning.rawValue
        sink.write(
            LogLine.bytes(format, time: wallClock(), level: warning, message: "a slow request") { line in
                line.add("request_id", observation.requestID)
                line.add("server_request_id", observation.serverRequestID)
                line.add("method", observation.method)
                line.add("route", observation.route ?? "none")
                if let organization = observation.principal?.organization { line.add("organization", organization) }
                // Only the name, because the statement's parameters are health data.
                if let statement = observation.statement { line.add("statement", statement) }
                line.add("status", observation.status)
                line.add("duration_us", observation.duration.microseconds)
            })
    }
}
