/// `POST …/patients/search`: the same list with its parameters in a body, so that no name is part of an address.
struct SearchPatients: PatientList {
    static let method = Method.post
    static let path: StaticString = "/api/v1/reengagement/{org_id}/patients/search"

    let question: PatientQuestion

    init(_ call: Call) throws(Problem) { question = try PatientQuestion(call, BodyFields(call.body)) }
}
