import Logging

/// Writes one log line for each request, after its response.
struct AccessLog: Sendable {
    let sink: LogSink
    let format: LogFormat

    func write(_ observation: Observation) {
        sink.write(
            LogLine.bytes(format, time: wallClock(), level: Logger.Level.info.rawValue, message: "request") { line in
                line.add("request_id", observation.requestID)
                line.add("server_request_id", observation.serverRequestID)
                line.add("method", observation.method)
                line.add("route", observation.route ?? "none")
                if let principal = observation.principal {
                    if let organization = principal.organization { line.add("organization", organization) }
                    line.add("subject", principal.subject)
                }
                line.add("status", observation.status)
                line.add("duration_us", observation.duration.microseconds)
                line.add("auth_us", observation.timings.authentication.microseconds)
                line.add("pool_us", observation.timings.pool.microseconds)
                line.add("db_us", observation.timings.database.microseconds)
                line.add("enc_us", observation.timings.encoding.microseconds)
                line.add("bytes", observation.bytes)
            })
    }
}
