import API
import Foundation
import Logging
import PostgreSQL
import Synchronization

@testable import Server

/// A pipeline with a real key and a stubbed database, which records its effects.
final class Harness: Sendable {
    /// A query that the database received.
    struct Question: Equatable {
        let statement: String
        let organization: String
        let repeatable: Bool
    }

    typealias Answer = @Sendable (Query) throws(PostgreSQLError) -> QueryResult

    private let journal = Mutex<
        (
            questions: [Question], steps: [String], observations: [Observation], entries: [AuditEntry],
            refused: [RefusedAttempt]
        )
    >(([], [], [], [], []))
    private let authenticator: Authenticator
    private let answer: Answer
    private let refusal: (any Error)?
    private let responseCache: ResponseCache?
    private let admits: Bool
    let log = CapturedLog()

    /// - Parameters:
    ///   - refusal: the error that the hook after authentication throws.
    ///   - responseCache: a cache with its own database.
    ///   - admits: whether the audit accepts entries.
    ///   - answer: the function that stands for the database.
    init(
        authenticator: Authenticator? = nil, refusal: (any Error)? = nil, responseCache: ResponseCache? = nil,
        admits: Bool = true,
        answer: @escaping Answer = { _ throws(PostgreSQLError) in throw .unexpectedResult("not asked for") }
    ) throws {
        self.authenticator = try authenticator ?? .test()
        self.refusal = refusal
        self.responseCache = responseCache
        self.admits = admits
        self.answer = answer
    }

    var questions: [Question] { journal.withLock { $0.questions } }
    /// The hooks and the sending, in order.
    var steps: [String] { journal.withLock { $0.steps } }
    var observations: [Observation] { journal.withLock { $0.observations } }
    var entries: [AuditEntry] { journal.withLock { $0.entries } }
    var refused: [RefusedAttempt] { journal.withLock { $0.refused } }

    private func note(_ step: String) { journal.withLock { $0.steps.append(step) } }

    private var pipeline: Pipeline {
        Pipeline(
            authenticator: authenticator,
            database: database, responseCache: responseCache, hooks: hooks,
            service: ServiceResponses(idleLogoffMinutes: 15) { "metrics 1\n" },
            cors: CORS(allowedOrigins: [Ask.origin]),
            logger: Logger(label: "test") { _ in
                StructuredLogHandler(sink: self.log.sink, format: .json, level: LogLevel(.trace))
            })
    }

    private var database: RequestDatabase {
        RequestDatabase(
            run: { (query, organization, repeatable) throws(PostgreSQLError) in
                self.journal.withLock {
                    $0.questions.append(
                        Question(statement: query.statement.name, organization: organization, repeatable: repeatable))
                    $0.steps.append("database")
                }
                return try self.answer(query)
            },
            checkReadiness: { () throws(PostgreSQLError) in
                self.journal.withLock { $0.steps.append("readiness") }
                _ = try self.answer(Query(Statement(name: "ready", sql: "")))
            },
            timeWaited: { .zero })
    }

    private var hooks: RequestHooks {
        RequestHooks(
            admit: { claims in
                self.note("admit: \(claims.subject) \(claims.organization ?? "none")")
                if let refusal = self.refusal { throw refusal }
            },
            record: { entry in
                self.note("audit")
                self.journal.withLock { $0.entries.append(entry) }
                return self.admits
            },
            report: { event in
                switch event {
                case .refused(let attempt): self.journal.withLock { $0.refused.append(attempt) }
                case .answered(let observation):
                    self.journal.withLock { $0.observations.append(observation) }
                    self.note("after: \(observation.status)")
                }
            })
    }

    /// The response to this request.
    func serve(_ ask: Ask) -> Response {
        var sent: [Response] = []
        var incoming = Incoming(
            request: Request(
                method: ask.method, target: Array(ask.target.utf8), contentType: ask.contentType,
                idempotencyKey: ask.idempotencyKey.map { Array($0.utf8) }),
            requestID: ask.requestID, authorization: ask.authorization.map { Array($0.utf8) },
            origin: ask.origin.map { Array($0.utf8) }, address: "192.0.2.1",
            body: { limit in
                self.note("body")
                return ask.body.count > limit ? .tooLarge : ask.breaksOff ? .incomplete : .complete(ask.body)
            }, forwardedAt: ask.forwardedAt)
        incoming.isAutomatic = ask.isAutomatic
        pipeline.serve(incoming, started: .now) { response in
            self.note("sent")
            sent.append(response)
        }
        precondition(sent.count == 1, "exactly one answer to a request")
        return sent[0]
    }
}

/// A request with the values that a test sets.
struct Ask {
    static let origin = "https://app.example.com"

    var method = "GET"
    var target: String
    var authorization: String?
    var contentType: String?
    var idempotencyKey: String?
    var origin: String? = Ask.origin
    var requestID = "request-1"
    var body: [UInt8] = []
    var breaksOff = false
    var forwardedAt: Double?
    var isAutomatic = false

    /// A call of the API with a valid token.
    static func api(_ path: String, method: String = "GET", organization: String = "org_1") throws -> Ask {
        Ask(
            method: method, target: "/api/v1/reengagement/\(organization)/\(path)",
            authorization: "Bearer " + (try goodToken.get()))
    }

    /// A valid POST.
    static func post() throws -> Ask {
        var ask = try Ask.api("log-outreach", method: "POST")
        ask.contentType = "application/json"
        ask.body = Array(#"{"patient_id": "p", "method": "sms", "outcome": "success"}"#.utf8)
        return ask
    }

    /// A valid search.
    static func search(_ body: String = #"{"q": "Secret"}"#) throws -> Ask {
        var ask = try Ask.api("patients/search", method: "POST")
        ask.contentType = "application/json"
        ask.body = Array(body.utf8)
        return ask
    }

    private static let goodToken = Result { try SigningKey.shared.get().token() }
}

extension Response {
    func header(_ name: String) -> String? {
        let values = headers.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: " | ")
    }

    /// The members of the JSON body.
    var object: [String: Any] {
        ((try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any]) ?? [:]
    }

    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Query {
    /// The columns that the statement selects, in order.
    private var columns: [String] {
        let words = statement.sql.split { $0.isWhitespace || $0 == "," }.map(String.init)
        return Array(words.drop { $0 != "SELECT" }.dropFirst().prefix { $0 != "FROM" })
    }

    /// A result with the value that `value` returns for each column. Nil is NULL.
    func result(rows: Int = 1, _ value: (_ column: String, _ row: Int) -> String?) throws(PostgreSQLError)
        -> QueryResult
    {
        let columns = columns
        let values = (0..<rows).map { row in columns.map { value($0, row) } }
        guard let result = QueryResult.make(columns: columns, rows: values) else {
            throw .unexpectedResult("no memory")
        }
        return result
    }
}

private let time = "2025-06-30T12:00:00Z"

/// The row that the database returns for risk-metrics.
@Sendable func riskMetricsRow(_ query: Query) throws(PostgreSQLError) -> QueryResult {
    try query.result { column, _ in column == "last_updated" ? time : "1" }
}

/// The row of an empty page of the list.
@Sendable func emptyList(_ query: Query) throws(PostgreSQLError) -> QueryResult {
    try query.result { column, _ in column == "timestamp" ? time : column == "total" ? "0" : nil }
}

/// The row that the database returns for log-outreach.
func outreachRow(_ result: String) -> Harness.Answer {
    { query throws(PostgreSQLError) in
        try query.result { column, _ in
            switch column {
            case "result": result
            case "outreach_id": "00000000-0000-4000-8000-000000000001"
            default: time
            }
        }
    }
}
