/// `GET …/patients/prioritized`: the patients to contact, the most urgent first, page by page.
struct PrioritizedPatients: PatientList {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/patients/prioritized"

    let question: PatientQuestion

    init(_ call: Call) throws(Problem) { question = try PatientQuestion(call, AddressValues(call.parameters)) }
}
