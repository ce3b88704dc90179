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
    let method: String
    let route: String
    let filter: [(name: StaticString, value: String)]
    /// The ids of the patients shown, as the text of a PostgreSQL array; nil where none is.
    let patients: [UInt8]?

    init(
        time: Double, status: Int, principal: Principal, address: String?, requestID: String, method: String,
        route: String, filter: [(name: StaticString, value: String)], patients: [UInt8]?
    ) {
        self.time = time
        self.status = status
        organization = principal.organization ?? ""
        self.principal = principal
        self.address = address
        self.requestID = requestID
        self.method = method
        self.route = route
        self.filter = filter
        self.patients = patients
    }

    /// About how many bytes it takes; the texts of a token are shared with its other requests.
    var size: Int { 512 + (patients?.count ?? 0) + filter.reduce(0) { $0 + $1.value.utf8.count } }

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
    convenience init?(
        _ response: Response, _ incoming: Incoming, _ principal: Principal?, _ route: String?,
        _ filter: [(name: StaticString, value: String)]
    ) {
        guard let principal, let route, response.status != 429, response.status != 503 else { return nil }
        let patients: [UInt8]?
        switch response.disclosure {
        case .recorded: return nil
        case .patients(let shown) where incoming.request.method != "HEAD" && shown.count > 0:
            patients = shown.arrayLiteral
        case .nobody, .patients: patients = nil
        }
        self.init(
            time: wallClock(), status: response.status, principal: principal, address: incoming.address,
            requestID: incoming.requestID, method: incoming.request.method, route: route, filter: filter,
            patients: patients)
    }
}

extension Incoming {
    /// What the database writes of whoever asks, where it records the request itself.
    func caller(_ principal: Principal) -> Caller {
        Caller(
            sessionID: principal.claims.sessionID, role: principal.claims.organizationRole,
            actor: principal.claims.actor, address: address, requestID: requestID)
    }
}
