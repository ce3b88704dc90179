import JSON
import PostgreSQL

/// `GET …/patients/{patient_id}`: all fields of one patient, with the last 20 outreach attempts.
struct PatientDetail: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/patients/{patient_id}"

    let organization: String
    let patientID: String

    init(_ call: Call) throws(Problem) {
        guard let patientID = call.patientID, Identifiers.isPatient(patientID) else { throw .noPatient }
        organization = call.organization
        self.patientID = patientID
    }

    private static let patient = Columns(
        patientFields + [
            .text("organization_id"), .text("treatment_notes"), .text("created_at"), .text("last_contact_day"),
            .json("outreach"),
        ])

    private static let statement = Statement(
        name: "patient_detail", sql: "SELECT \(patient.selected) FROM re.patient_detail($1, $2)")

    var query: Query { Query(Self.statement, [organization, patientID]) }
    var cacheKey: String? { "" }

    var filter: [(name: StaticString, value: String)] { [("patient_id", patientID)] }
    var patientSought: String? { patientID }

    func respond(to rows: QueryResult) throws -> Response {
        guard rows.rowCount > 0 else { throw Problem.noPatient }
        var writer = JSONWriter(capacity: 4096)
        writer.object { $0.members(Self.patient, of: rows[0]) }
        return .json(writer.bytes, disclosing: .patient(patientID))
    }
}
