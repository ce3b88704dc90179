import Testing

@testable import API

@Suite("The router")
struct RouterTests {
    private static let base = "/api/v1/reengagement/org_1/"

    private func found(_ target: String) -> Router.Match? { try? Router.match(request(target)) }

    private func methodProblem(_ method: String, _ target: String) -> Problem? {
        problem {
            let request = request(target, method: method)
            try Router.check(request, Router.match(request))
        }
    }

    @Test("The router finds every endpoint and the variable parts of its path", arguments: DeclaredEndpoint.all)
    func endpoints(declared: DeclaredEndpoint) throws {
        let (path, patient) = Self.filled(declared.path)
        let match = try Router.match(request(Self.base + path + "?x=/y", method: declared.method))
        #expect(match.route.template == declared.template)
        #expect(match.organization == "org_1")
        #expect(match.patientID == patient)
        #expect("\(try declared.type().path)" == declared.template)
        #expect(match.route.method.rawValue == declared.method)
    }

    /// The path with a patient's id for `{patient_id}`, and that id if there is one.
    private static func filled(_ path: String) -> (path: String, patient: String?) {
        guard path.hasSuffix("/{patient_id}") else { return (path, nil) }
        return (path.replacing("{patient_id}", with: "p1"), "p1")
    }

    @Test("The router finds the paths outside the API")
    func services() {
        for path in ["/health", "/ready", "/metrics", "/openapi.json", "/dashboard/settings"] {
            #expect(found(path)?.route.template == path)
            #expect(found(path)?.organization == nil)
        }
    }

    @Test("An organization has at most 200 characters, with any number of bytes")
    func longOrganization() {
        for (count, isFound) in [(200, true), (201, false)] {
            for character in ["o", "%F0%9F%90%A8"] {
                let organization = String(repeating: character, count: count)
                #expect((found("/api/v1/reengagement/\(organization)/dashboard") != nil) == isFound)
            }
        }
    }

    @Test("Any text is an organization or a patient's id, after decoding")
    func variables() throws {
        let match = try #require(found("/api/v1/reengagement/a%2Fb%20%C5%8C/patients/..%2Fe%CC%81"))
        #expect(match.route.template == "/api/v1/reengagement/{org_id}/patients/{patient_id}")
        #expect(match.organization == "a/b Ō")
        #expect(match.patientID?.utf8.elementsEqual("../e\u{301}".utf8) == true)
    }

    @Test("\"prioritized\" means the list in any encoding, and any other word is a patient's id")
    func prioritized() {
        for path in ["prioritized", "%70rioritized", "%70%72%69%6F%72%69%74%69%7A%65%64"] {
            #expect(found(Self.base + "patients/" + path)?.route.template.hasSuffix("/prioritized") == true)
        }
        for path in ["Prioritized", "prioritized%20", "prioritize", "%2570rioritized", "prioritized%2F"] {
            #expect(found(Self.base + "patients/" + path)?.route.template.hasSuffix("/{patient_id}") == true)
        }
    }

    @Test("\"patients/search\" is the search for POST, and the patient with that id for GET and HEAD")
    func search() throws {
        for (method, end) in [
            ("POST", "search"), ("GET", "{patient_id}"), ("HEAD", "{patient_id}"), ("PUT", "search"),
            ("OPTIONS", "search"),
        ] {
            for path in ["search", "%73earch"] {
                let match = try Router.match(request(Self.base + "patients/\(path)?q=x", method: method))
                #expect(match.route.template.hasSuffix("/patients/\(end)"))
                #expect(match.patientID == (end == "search" ? nil : "search"))
                #expect(match.allowedMethods == "GET, HEAD, POST, OPTIONS")
            }
        }
        #expect(methodProblem("POST", Self.base + "patients/search") == nil)
        #expect(methodProblem("HEAD", Self.base + "patients/search") == nil)
        for method in ["PUT", "DELETE", "PATCH", "post"] {
            let problem = try #require(methodProblem(method, Self.base + "patients/search"))
            #expect(problem.status == 405)
            #expect(problem.headers == [Header("Allow", "GET, HEAD, POST, OPTIONS")])
        }
        #expect(
            methodProblem("POST", Self.base + "patients/Search")?.headers == [Header("Allow", "GET, HEAD, OPTIONS")])
    }

    @Test(
        "An unknown path is not found",
        arguments: [
            "/", "", "*", "/Health", "/health/", "//health", "/health/x", "/healthx", "/openapi", "/docs", "/api",
            "/api/v1",
            "/api/v1/reengagement", "/api/v1/reengagement/org_1", "/api/v1/reengagement/org_1/",
            "/api/v1/reengagement//risk-metrics", "/api/v1/reengagement/org_1/risk-metrics/",
            "/api/v1/reengagement/org_1//risk-metrics", "/api/v1/reengagement/org_1/Risk-Metrics",
            "/api/v1/reengagement/org_1/risk_metrics", "/api/v2/reengagement/org_1/risk-metrics",
            "/API/v1/reengagement/o/trends",
            "/api/v1/reengagement/org_1/patients", "/api/v1/reengagement/org_1/patients/",
            "/api/v1/reengagement/org_1/patients/p/", "/api/v1/reengagement/org_1/patients/p/outreach",
            "/api/v1/reengagement/org_1/patients/%00", "/api/v1/reengagement/%FF/trends",
            "/api/v1/reengagement/org_1/./trends",
            "/x/../health", "/api%2Fv1/reengagement/org_1/trends", "/api/v1/reengagement/org_1%2Ftrends", "/health%3Fx",
        ])
    func nothing(target: String) {
        let problem = problem { _ = try Router.match(request(target)) }
        #expect(problem?.status == 404)
    }

    @Test("HEAD is allowed wherever GET is, and OPTIONS everywhere")
    func methods() {
        for target in [Self.base + "trends", Self.base + "patients/p", "/health", "/metrics"] {
            for method in ["GET", "HEAD", "OPTIONS"] { #expect(methodProblem(method, target) == nil) }
        }
        for method in ["POST", "OPTIONS"] { #expect(methodProblem(method, Self.base + "log-outreach") == nil) }
    }

    @Test(
        "A method that a route does not have is refused with the list of allowed methods",
        arguments: ["DELETE", "PUT", "PATCH", "TRACE", "get", "", "GETT"])
    func otherMethods(method: String) throws {
        let get = try #require(methodProblem(method, Self.base + "dashboard"))
        #expect(get.status == 405)
        #expect(get.headers == [Header("Allow", "GET, HEAD, OPTIONS")])
        let post = try #require(methodProblem(method, Self.base + "log-outreach"))
        #expect(post.status == 405)
        #expect(post.headers == [Header("Allow", "POST, OPTIONS")])
    }

    @Test("POST is refused for routes that read, and GET and HEAD for routes that write")
    func crossed() {
        #expect(methodProblem("POST", Self.base + "patients/prioritized")?.status == 405)
        #expect(methodProblem("GET", Self.base + "log-outreach")?.status == 405)
        #expect(methodProblem("HEAD", Self.base + "log-outreach")?.status == 405)
        #expect(methodProblem("POST", "/health")?.status == 405)
    }
}

@Suite("A problem response")
struct ProblemTests {
    @Test("A problem has the members of RFC 9457 and the request's id")
    func members() throws {
        let response = Problem.noRoute.response(requestID: "r-1")
        #expect(response.status == 404)
        #expect(response.contentType == "application/problem+json")
        #expect(
            try json(response.body)
                == json(
                    """
                    {"type": "/problems/no-such-route", "title": "No such route", "status": 404, "request_id": "r-1",
                     "detail": "There is nothing at this path; /openapi.json lists every path."}
                    """))
    }

    @Test("A problem lists every invalid field and escapes its texts")
    func errors() throws {
        let errors = [FieldError(field: "a", message: "\"\\\n"), FieldError(field: "b", message: "Ō")]
        let body = try json(Problem.unprocessable(errors, .badField).response(requestID: "r").body)
        #expect(body.object?["title"]?.text == "A field is not valid")
        #expect(
            try body.object?["errors"]
                == json(#"[{"field": "a", "message": "\"\\\n"}, {"field": "b", "message": "Ō"}]"#))
    }

    @Test("A problem has the headers of its status")
    func headers() {
        #expect(Problem.tokenMissing.headers == [Header("WWW-Authenticate", "Bearer")])
        #expect(
            Problem.unauthorized(.tokenExpired, "Why.").headers == [
                Header("WWW-Authenticate", "Bearer error=\"invalid_token\"")
            ])
        #expect(Problem.tooManyRequests(retryAfter: 3).headers == [Header("Retry-After", "3")])
        #expect(Problem.unavailable(.databaseBusy, "Later.").headers == [Header("Retry-After", "1")])
        #expect(
            Problem.unavailable(.databaseBusy, "Later.", retryAfter: 5).response(requestID: "r").headers == [
                Header("Retry-After", "5")
            ])
    }

    @Test("The status line has the reason phrase of its status")
    func phrases() {
        let titles = [400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503].map(reasonPhrase)
        #expect(
            titles == [
                "Bad Request", "Unauthorized", "Forbidden", "Not Found", "Method Not Allowed", "Content Too Large",
                "Unsupported Media Type", "Unprocessable Content", "Too Many Requests", "Internal Server Error",
                "Service Unavailable",
            ])
        #expect([200, 201, 204].map(reasonPhrase) == ["OK", "Created", "No Content"])
    }
}
