import API
import JWT

/// The data collected about a request, for the audit, the log and the metrics.
struct RequestRecord {
    var route: String?
    var claims: Claims?
    var filter: [(name: StaticString, value: String)] = []
    /// The organization and the patient that the request is about, even if it is refused.
    var organizationSought: String?
    var patientSought: String?
    /// The length of the body, once it has been read.
    var received = 0
    /// The problem in the response, if it is an error.
    var problem: Problem?
    var databaseError: String?
    var statement: String?
    var timings = Timings()
}
