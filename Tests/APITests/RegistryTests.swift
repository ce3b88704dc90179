import Glibc
import PostgreSQL
import Testing

@testable import API
@testable import JSON

/// An endpoint of the registry, as `sql/registry` prints it.
struct DeclaredEndpoint: Sendable, CustomTestStringConvertible {
    struct Question: Sendable {
        let query: String
        let body: String
    }

    let function: String
    let method: String
    let path: String
    let writes: Bool
    /// False for an endpoint that reads and that no cache may answer.
    let cached: Bool
    let questions: [Question]

    var testDescription: String { "\(method) \(path)" }
    var template: String { "/api/v1/reengagement/{org_id}/\(path)" }
    var operation: String { "\(method) \(template)" }

    /// The server's endpoint at the path.
    func type() throws -> any Endpoint.Type {
        let route = try #require(Route.all.first { $0.template == template && $0.method.rawValue == method })
        guard case .endpoint(let endpoint) = route.target else {
            throw EndpointError(description: "\(path): a service")
        }
        return endpoint
    }

    func validated(_ question: Question) throws -> any Endpoint {
        try type().init(call(question.query, patientID: "p1", body: question.body))
    }

    static let all: [DeclaredEndpoint] = read()

    private static func read() -> [DeclaredEndpoint] {
        let registry = "\(#filePath)".split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/sql/registry"
        let functions = (try? JSONValue.parse(output(of: registry)))?.object?.members ?? []
        return functions.flatMap { function in
            (function.value.array ?? []).compactMap { endpoint(of: function.name.text ?? "", $0.object) }
        }
    }

    private static func output(of program: String) -> [UInt8] {
        guard let pipe = popen("'\(program)'", "r") else { return [] }
        defer { pclose(pipe) }
        var output: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
        return output
    }

    private static func endpoint(of function: String, _ declared: JSONObject?) -> DeclaredEndpoint? {
        guard let declared, let method = declared["method"]?.text, let path = declared["path"]?.text else { return nil }
        let questions = (declared["questions"]?.array ?? []).compactMap(\.object)
        return DeclaredEndpoint(
            function: function, method: method, path: path, writes: declared["writes"] == .bool(true),
            cached: declared["writes"] != .bool(true) && declared["cached"] != .bool(false),
            questions: questions.map {
                Question(query: $0["query"]?.text ?? "", body: $0["body"]?.object.map(text) ?? "")
            })
    }

    /// A body whose members are all texts.
    private static func text(of body: JSONObject) -> String {
        "{" + body.members.map { #""\#($0.name.text ?? "")": "\#($0.value.text ?? "")""# }.joined(separator: ", ") + "}"
    }
}

@Suite("The registry of endpoints")
struct RegistryTests {
    @Test("The registry declares exactly the endpoints of the server")
    func routes() {
        let routes = Route.all.filter { if case .endpoint = $0.target { true } else { false } }
        #expect(
            Set(routes.map { "\($0.method.rawValue) \($0.template)" }) == Set(DeclaredEndpoint.all.map(\.operation)))
        #expect(routes.count == DeclaredEndpoint.all.count)
    }

    @Test("The OpenAPI document describes exactly the routes of the server")
    func document() throws {
        let paths = try #require(Self.document().object?["paths"]?.object)
        let documented = paths.members.flatMap { path in
            (path.value.object?.members ?? []).filter { $0.name.text != "parameters" }
                .map { "\(($0.name.text ?? "").uppercased()) \(path.name.text ?? "")" }
        }
        #expect(Set(documented) == Set(Route.all.map { "\($0.method.rawValue) \($0.template)" }))
    }

    @Test("The statement of each endpoint calls the declared function", arguments: DeclaredEndpoint.all)
    func functions(declared: DeclaredEndpoint) throws {
        let statement = try declared.validated(try #require(declared.questions.first)).query.statement
        #expect(statement.sql.contains("re.\(declared.function)("))
    }

    @Test(
        "Each endpoint accepts its declared questions, and is repeatable and cached as declared",
        arguments: DeclaredEndpoint.all)
    func questions(declared: DeclaredEndpoint) throws {
        #expect(try declared.type().isRepeatable == !declared.writes)
        for question in declared.questions {
            #expect(try (declared.validated(question).cacheKey != nil) == declared.cached)
        }
    }

    @Test(
        "Each endpoint has a query for the readiness check, which calls the declared function",
        arguments: DeclaredEndpoint.all)
    func readiness(declared: DeclaredEndpoint) throws {
        let query = try #require(try declared.type().readinessQuery(organization: ""))
        #expect(query.statement.sql.contains("re.\(declared.function)("))
        #expect(query.parameters.first == "")
    }

    @Test("The server has one statement for each declared function")
    func statements() throws {
        let statements = try DeclaredEndpoint.all.map {
            try $0.validated(try #require($0.questions.first)).query.statement
        }
        #expect(Set(statements.map(\.name)).count == Set(statements).count)
        #expect(Set(statements).count == Set(DeclaredEndpoint.all.map(\.function)).count)
    }

    @Test(
        "Each endpoint reads the documented parameters and ignores those of other endpoints",
        arguments: DeclaredEndpoint.all
    )
    func parameters(declared: DeclaredEndpoint) throws {
        guard declared.method == "GET" else { return }
        let documented = try DeclaredEndpoint.all.filter { $0.method == "GET" }
            .map { ($0.path, try Self.documentedParameters(of: $0)) }
        let own = Set(documented.filter { $0.0 == declared.path }.flatMap(\.1))
        for name in Set(documented.flatMap(\.1)) {
            let found = errors(of: try declared.type(), call("\(name)=", patientID: "p1"))
            #expect((found == [name]) == own.contains(name), "\(name)")
        }
    }

    private static func document() throws -> JSONValue {
        try JSONValue.parse(OpenAPI.response(scheme: nil, host: nil).body)
    }

    private static func documentedParameters(of declared: DeclaredEndpoint) throws -> [String] {
        let document = try document().object
        let shared = document?["components"]?.object?["parameters"]?.object
        let get = document?["paths"]?.object?[declared.template]?.object?["get"]?.object
        return (get?["parameters"]?.array ?? []).compactMap { parameter -> String? in
            let reference = parameter.object?["$ref"]?.text?.split(separator: "/").last.map(String.init)
            let described = reference.flatMap { shared?[$0]?.object } ?? parameter.object
            return described?["in"]?.text == "query" ? described?["name"]?.text : nil
        }
    }
}
