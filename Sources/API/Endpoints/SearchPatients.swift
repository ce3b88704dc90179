/// `POST …/patients/search`: the same list, asked for by a body, so that a name need not stand in an address.
struct SearchPatients: PatientList {
    static let method = Method.post
    static let path: StaticString = "/api/v1/reengagement/{org_id}/patients/search"

    let question: PatientQuestion

    init(_ call: Call) throws(Problem) { question = try PatientQuestion(call, BodyFields(call.body)) }
}
