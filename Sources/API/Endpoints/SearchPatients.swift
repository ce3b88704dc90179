/// `POST …/patients/search`: the same list. Its parameters are in the body, so that no address contains a name.
struct SearchPatients: PatientList {
    static let method = Method.post
    static let path: StaticString = "/api/v1/reengagement/{org_id}/patients/search"

    let question: PatientQuestion

    init(_ call: Call) throws(Problem) { question = try PatientQuestion(call, BodyFields(call.body)) }
}
