import JWT

@testable import Server

extension Observation {
    /// An observation of which a test sets only the relevant values.
    static func example(
        method: String = "GET", route: String? = "/health", principal: Claims? = nil, status: Int = 200,
        duration: Duration = .milliseconds(1), timings: Timings = Timings(), databaseError: String? = nil,
        statement: String? = nil
    ) -> Observation {
        Observation(
            requestID: "r-1", serverRequestID: "s-1", method: method, route: route, principal: principal,
            status: status, duration: duration,
            timings: timings, bytes: 0, databaseError: databaseError, statement: statement)
    }
}
