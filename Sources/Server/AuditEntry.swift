import API
import JSON

/// Who was answered what about whom, when and from where.
///
/// A class, so that queues and batches pass references on.
final class AuditEntry: Sendable {
    /// The wall clock at the answer, in seconds since 1970.
    let time: Double
    let status: Int
    /// Empty where the token speaks for no organization.
    let organization: String
    let principal: Principal
    let address: String?
    let requestID: String
    let serverRequestID: String
    /// Whether the request said that a timer asks.
    let isAutomatic: Bool
    let method: String
    let route: String
    let filter: [(name: StaticString, value: String)]
    /// The ids of the patients shown, as the text of a PostgreSQL array; nil where none is.
    let patients: [UInt8]?
    /// Whom the request was about, where nobody is shown.
    let patientSought: String?
    let problem: String?

    init(
        time: Double, status: Int, principal: Principal, address: String?, requestID: String,
        serverRequestID: String, isAutomatic: Bool = false, method: String, route: String,
        filter: [(name: StaticString, value: String)] = [], patients: [UInt8]? = nil, patientSought: String? = nil,
        problem: String? = nil
    ) {
        self.time = time
        self.status = status
        organization = principal.organization ?? ""
        self.principal = principal
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

    /// About how many bytes it takes. The texts of a token may be shared with its other requests, and need not.
    var size: Int {
        512 + principal.claims.size + (patients?.count ?? 0) + (patientSought?.utf8.count ?? 0)
            + filter.reduce(0) { $0 + $1.value.utf8.count }
    }

    /// The filter as a JSON object; nil where nothing was asked for.
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
    /// The entry for an answer; nil where nobody is known to have asked, where nothing was looked at for them (429, 503),
    /// or where the database has recorded it already.
    convenience init?(_ response: Response, _ incoming: Incoming, _ record: Pipeline.Record) {
        guard let principal = record.principal, let route = record.route, response.status != 429, response.status != 503
        else { return nil }
        let patients: [UInt8]?
        switch response.disclosure {
        case .recorded: return nil
        case .patients(let shown) where incoming.request.method != "HEAD" && shown.count > 0:
            patients = shown.arrayLiteral
        case .nobody, .patients: patients = nil
        }
        let sought = patients == nil ? AuditText.bounded(record.patientSought) : nil
        // Whom nobody is shown stands in its own column, and not twice.
        let filter = sought == nil ? record.filter : record.filter.filter { $0.name.description != "patient_id" }
        self.init(
            time: wallClock(), status: response.status, principal: principal,
            address: AuditText.bounded(incoming.address), requestID: incoming.requestID,
            serverRequestID: incoming.serverRequestID, isAutomatic: incoming.isAutomatic,
            method: incoming.request.method, route: route,
            filter: filter.map { ($0.name, AuditText.bounded($0.value)) }, patients: patients,
            patientSought: sought, problem: record.problem?.kind.rawValue)
    }
}

extension Incoming {
    /// What the database writes of whoever asks, where it records the request itself.
    func caller(_ principal: Principal) -> Caller {
        Caller(
            sessionID: AuditText.bounded(principal.claims.sessionID),
            role: AuditText.bounded(principal.claims.organizationRole),
            actor: AuditText.bounded(principal.claims.actor), address: AuditText.bounded(address),
            requestID: requestID, serverRequestID: serverRequestID)
    }
}
