import PostgreSQL
import Testing

@testable import API
@testable import JSON

/// A request to `target`, as nginx forwards it.
func request(_ target: String, method: String = "GET", idempotencyKey: [UInt8]? = nil) -> Request {
    Request(method: method, target: Array(target.utf8), idempotencyKey: idempotencyKey)
}

/// A call of an endpoint with this query string.
func call(
    _ query: String = "", organization: String = "org_2abc123", patientID: String? = nil, body: String = "",
    idempotencyKey: String? = nil
) -> Call {
    Call(
        organization: organization, subject: "user_1", patientID: patientID,
        request: request("/?" + query, idempotencyKey: idempotencyKey.map { Array($0.utf8) }), body: Array(body.utf8))
}

/// The problem that `body` throws.
func problem(_ body: () throws -> Void) -> Problem? {
    do {
        try body()
        return nil
    } catch {
        return error as? Problem
    }
}

/// The fields that an endpoint refuses with status 422.
func errors(of endpoint: any Endpoint.Type, _ call: Call) -> [String]? {
    guard let problem = problem({ _ = try endpoint.init(call) }) else { return nil }
    return problem.status == 422 ? problem.errors.map(\.field) : ["status \(problem.status)"]
}

extension Endpoint {
    /// The columns that the statement selects, in order.
    var columns: [String] {
        let sql = query.statement.sql.split { $0.isWhitespace || $0 == "," }.map(String.init)
        return Array(sql.drop { $0 != "SELECT" }.dropFirst().prefix { $0 != "FROM" })
    }

    /// A result of the statement with these values by column. A missing value is NULL.
    func result(_ rows: [[String: String]]) throws -> QueryResult {
        let columns = columns
        for name in rows.flatMap(\.keys) where !columns.contains(name) { Issue.record("no column is called \(name)") }
        let values = rows.map { row in columns.map { row[$0] } }
        return try #require(QueryResult.make(columns: columns, rows: values))
    }

    /// The JSON body of the response to such a result.
    func answer(_ rows: [[String: String]]) throws -> JSONValue {
        let response = try respond(to: result(rows))
        #expect(response.status == 200)
        #expect(response.contentType == "application/json")
        return try json(response.body)
    }
}

/// An example of the OpenAPI document, for an endpoint with columns named like the JSON members.
struct DocumentedExample {
    let value: JSONValue
    /// The members that are columns, including those of inner objects.
    let columns: [String: String]

    init(_ name: String) throws {
        let document = try json(OpenAPI.response(scheme: nil, host: nil).body).object
        let examples = document?["components"]?.object?["examples"]?.object
        value = try #require(examples?[name]?.object?["value"])
        columns = Self.columns(of: value).filter { $0.key != "organization_id" }
    }

    private static func columns(of value: JSONValue) -> [String: String] {
        var columns: [String: String] = [:]
        for member in value.object?.members ?? [] {
            switch member.value {
            case .number(let digits): columns[member.name.text ?? ""] = digits
            case .string(let string): columns[member.name.text ?? ""] = string.text
            default: columns.merge(Self.columns(of: member.value)) { _, inner in inner }
            }
        }
        return columns
    }
}

/// Parses JSON and sorts the members of every object, since their order has no meaning.
func json(_ bytes: [UInt8]) throws -> JSONValue { sorted(try JSONValue.parse(bytes)) }

func json(_ text: String) throws -> JSONValue { try json(Array(text.utf8)) }

private func sorted(_ value: JSONValue) -> JSONValue {
    switch value {
    case .array(let elements): .array(elements.map(sorted))
    case .object(let object):
        .object(
            JSONObject(
                members: object.members.map { .init(name: $0.name, value: sorted($0.value)) }
                    .sorted { ($0.name.text ?? "") < ($1.name.text ?? "") }))
    default: value
    }
}
