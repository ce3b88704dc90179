import API
import JSON
import JWT

/// One row of the audit: a response, its client, and the patients in it.
///
/// It is a class, so that queues and batches copy only references.
final class AuditEntry: Sendable {
    /// The wall clock at the response, in seconds since 1970.
    let time: Double
    let status: Int
    /// The token's organization. Empty if it has none.
    let organization: String
    /// The token's claims. The subject is empty for an unknown client.
    let claims: Claims
    let address: String?
    let requestID: String
    let serverRequestID: String
    /// True if a timer of the dashboard page sent the request.
    let isAutomatic: Bool
    let method: String
    let route: String
    let filter: [(name: StaticString, value: String)]
    /// The ids of the patients in the response, as the text of a PostgreSQL array. Nil without any.
    let patients: [UInt8]?
    /// The patient that the request was about, if the response contains no patient.
    let patientSought: String?
    let problem: String?

    init(
        time: Double, status: Int, claims: Claims, address: String?, requestID: String,
        serverRequestID: String, isAutomatic: Bool = false, method: String, route: String,
        filter: [(name: StaticString, value: String)] = [], patients: [UInt8]? = nil, patientSought: String? = nil,
        problem: String? = nil
    ) {
        self.time = time
        self.status = status
        organization = claims.organization ?? ""
        self.claims = claims
        self.address = address
        self.requestID = requestID
        self.serverRequestID = serverRequestID
        self.isAutomatic = isAutomatic
        self.method = method
        self.route = route
        self.filter = filter
        self.patients = patients
        self.patientSought = patientSought
        self.problem = problem
    }

    /// An estimate of its size in bytes. The token's texts count fully, although other entries may share them.
    var size: Int {
        512 + claims.size + (patients?.count ?? 0) + (patientSought?.utf8.count ?? 0)
            + filter.reduce(0) { $0 + $1.value.utf8.count }
    }

    /// The filter as a JSON object. Nil without one.
    var filterObject: [UInt8]? {
        guard !filter.isEmpty else { return nil }
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            for (name, value) in filter { writer.member(name, string: value) }
        }
        return writer.bytes
    }
}

extension AuditEntry {
    /// The entry of a response. Nil for an unknown client, for a 429 or 503, and if the database has already recorded
    /// the response.
    convenience init?(_ response: Response, _ incoming: Incoming, _ record: RequestRecord) {
        guard let claims = record.claims, let route = record.route, response.status != 429, response.status != 503
        else { return nil }
        let patients: [UInt8]?
        switch response.disclosure {
        case .recorded: return nil
        case .patients(let shown) where incoming.request.method != "HEAD" && shown.count > 0:
            patients = shown.bytes
        case .nobody, .patients: patients = nil
        }
        let sought = patients == nil ? AuditText.bounded(record.patientSought) : nil
        // The patient sought has its own column, so the filter does not repeat it.
        let filter = sought == nil ? record.filter : record.filter.filter { $0.name.description != "patient_id" }
        self.init(
            time: wallClock(), status: response.status, claims: claims,
            address: AuditText.bounded(incoming.address), requestID: incoming.requestID,
            serverRequestID: incoming.serverRequestID, isAutomatic: incoming.isAutomatic,
            method: incoming.request.method, route: route,
            filter: filter.map { ($0.name, AuditText.bounded($0.value)) }, patients: patients,
            patientSought: sought, problem: record.problem?.kind.rawValue)
    }
}
