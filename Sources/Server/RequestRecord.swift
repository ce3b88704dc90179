import API
import JWT

/// The data of a request so far, for the audit, the log and the metrics.
struct RequestRecord {
    var route: String?
    var claims: Claims?
    var filter: [(name: StaticString, value: String)] = []
    /// The organization and the patient that the request is about, also where it is refused.
    var organizationSought: String?
    var patientSought: String?
    /// The length of its body, once that has been read.
    var received = 0
    /// The problem that it is answered with.
    var problem: Problem?
    var databaseError: String?
    var statement: String?
    var timings = Timings()
}
