import JSON
import PostgreSQL

/// An endpoint that acknowledges or reopens an alert.
protocol AlertWord: Endpoint {
    var patientID: String { get }
    var since: CalendarDay { get }
}

/// The result of a function that writes a word about an alert.
enum AlertWordResult {
    private static let result = Columns([.text("result")])
    private static let alert = AlertColumns(after: result)

    static let selected = alert.selected

    /// - Throws: ``Problem`` if the alert cannot be acknowledged or reopened.
    static func response(to rows: QueryResult, patientID: String) throws -> Response {
        let row = try rows.firstRow()
        let result = row.text(Self.result.first)
        switch result {
        case "written": return answer(row, disclosing: .recorded)
        case "unchanged": return answer(row, disclosing: .patient(patientID))
        case "no_patient": throw Problem.noPatient
        case "over": throw Problem.alertOver(since: row.text("critical_since", of: alert.patient))
        case "bad_until":
            let error = FieldError(field: "until", message: "must be 1 to 365 days after the clinic's today")
            throw Problem.unprocessable([error], .badField)
        default: throw EndpointError(description: "a word about an alert was answered \(result ?? "NULL")")
        }
    }

    private static func answer(_ row: Row, disclosing disclosure: Disclosure) -> Response {
        var writer = JSONWriter(capacity: 2048)
        writer.object { alert.write(row, &$0) }
        return .json(writer.bytes, disclosing: disclosure)
    }
}

extension AlertWord {
    static var method: Method { .post }
    /// False, because the word may have been written before the connection broke.
    static var isRepeatable: Bool { false }

    /// It writes nothing, because the database looks for the patient first and this one does not exist.
    static func readinessQuery(organization: String) -> Query? {
        query(organization: organization, body: #"{"patient_id": "none", "critical_since": "2025-06-28"}"#)
    }

    var patientSought: String? { patientID }

    static func patientSought(in body: () -> [UInt8]?) -> String? {
        var fields = body().flatMap { try? BodyFields($0) }
        return fields?.text("patient_id")
    }

    func respond(to rows: QueryResult) throws -> Response {
        try AlertWordResult.response(to: rows, patientID: patientID)
    }
}

extension BodyFields {
    /// Reads the id of a patient.
    mutating func patientID(_ name: StaticString) -> String {
        let id = text(name, of: 1...Identifiers.longest)
        if !id.isEmpty, !Identifiers.isPatient(id) { errors.add(name, "cannot be the id of a patient") }
        return id
    }
}
