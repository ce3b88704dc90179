@testable import API
@testable import PostgreSQL

/// A request's target, from the path and the query to the endpoint's own checks.
@Sendable func fuzzRequest(_ input: [UInt8]) {
    let request = Request(method: "GET", target: input, contentType: String(decoding: input, as: UTF8.self))
    _ = request.hasJSONBody
    for segment in request.path ?? [] { precondition(!segment.isEmpty && !segment.utf8.contains(0)) }
    // Each endpoint checks the query, whatever the path is. The path's own endpoint then also gets its ids.
    for route in Route.all { ask(route, request, organization: "org", patientID: "patient") }
    guard let match = try? Router.match(request) else { return }
    ask(match.route, request, organization: match.organization ?? "", patientID: match.patientID)
}

private func ask(_ route: Route, _ request: Request, organization: String, patientID: String?) {
    guard case .endpoint(let type) = route.target else { return }
    let call = Call(organization: organization, subject: "user", patientID: patientID, request: request)
    do throws(Problem) {
        check(try type.init(call).query)
    } catch {
        precondition([400, 404, 422].contains(error.status))
        check(error)
    }
}

/// PostgreSQL can store each parameter as text.
func check(_ query: Query) {
    for value in query.parameters { precondition(value.map { !$0.utf8.contains(0) } ?? true) }
}

/// A problem is JSON, and only a 422 lists fields.
func check(_ problem: Problem) {
    let response = problem.response(requestID: "fuzz")
    precondition(response.status == problem.status && !problem.detail.isEmpty)
    precondition(problem.status == 422 || problem.errors.isEmpty)
    precondition(isJSON(response.body))
}
