import JSON
import PostgreSQL

/// `POST …/log-outreach`: stores one attempt to reach a patient.
struct LogOutreach: Endpoint {
    static let method = Method.post
    static let path: StaticString = "/api/v1/reengagement/{org_id}/log-outreach"
    /// False, because the attempt may have been stored before the connection broke.
    static let isRepeatable = false

    enum Channel: String, Choice {
        case sms, email, phone
    }

    enum Outcome: String, Choice {
        case success
        case noResponse = "no_response"
        case failed
    }

    let organization: String
    let subject: String
    let patientID: String
    let channel: Channel
    let outcome: Outcome
    let opened: Bool
    let notes: String
    let idempotencyKey: String?
    private let isKeyInHeader: Bool
    /// Values about the request that the database stores in the audit.
    private let recorded: [String?]

    private static let longestNotes = 4000
    private static let longestKey = 255

    init(_ call: Call) throws(Problem) {
        var fields = try BodyFields(call.body)
        patientID = fields.patientID("patient_id")
        channel = fields.choice("method", default: .sms)
        outcome = fields.choice("outcome", default: .failed)
        opened = fields.optionalBool("opened")
        notes = fields.optionalText("notes", atMost: Self.longestNotes)
        let keyInBody = fields.optionalPrintable("idempotency_key", atMost: Self.longestKey)
        idempotencyKey = Self.key(call, keyInBody, &fields.errors)
        isKeyInHeader = call.idempotencyKey != nil
        try fields.errors.check()
        organization = call.organization
        subject = call.subject
        recorded = call.recorded
    }

    /// The key in the header or in the body. If both have one, they must be equal.
    private static func key(_ call: Call, _ keyInBody: String?, _ errors: inout FieldErrors) -> String? {
        guard let bytes = call.idempotencyKey else { return keyInBody }
        guard !call.repeatedHeaders.contains(.idempotencyKey) else {
            errors.add("Idempotency-Key", SingleHeader.message)
            return nil
        }
        guard isPrintable(bytes, atMost: longestKey) else {
            errors.add("Idempotency-Key", "must be 1 to \(longestKey) printable ASCII characters")
            return nil
        }
        if let keyInBody, !keyInBody.utf8.elementsEqual(bytes) {
            errors.add("idempotency_key", "differs from the header Idempotency-Key; send one of the two")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let result = Columns([.text("result")])
    private static let attempt = Columns([.text("outreach_id"), .text("logged_at")], after: result)

    private static let statement = Statement(
        name: "log_outreach",
        sql: """
            SELECT \(attempt.selected)
            FROM re.log_outreach($1, $2, $3, $4, $5::boolean, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """)

    var query: Query {
        Query(
            Self.statement,
            [
                organization, patientID, channel.rawValue, outcome.rawValue, opened ? "true" : "false", notes, subject,
                idempotencyKey,
            ] + recorded)
    }

    /// It writes nothing, because the database looks for the patient first and this one does not exist.
    static func readinessQuery(organization: String) -> Query? {
        query(organization: organization, body: #"{"patient_id": "none", "method": "sms", "outcome": "failed"}"#)
    }

    var filter: [(name: StaticString, value: String)] {
        [("patient_id", patientID), ("method", channel.rawValue), ("outcome", outcome.rawValue)]
    }

    var patientSought: String? { patientID }

    static func patientSought(in body: () -> [UInt8]?) -> String? {
        var fields = body().flatMap { try? BodyFields($0) }
        return fields?.text("patient_id")
    }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        let result = row.text(Self.result.first)
        switch result {
        case "created": return answer(row, status: 201, "The outreach attempt was logged.", disclosing: .recorded)
        case "replayed":
            return answer(
                row, status: 200, "This outreach attempt had been logged already.",
                disclosing: .patient(patientID))
        case "no_patient": throw Problem.noPatient
        case "conflict":
            let error = FieldError(
                field: isKeyInHeader ? "Idempotency-Key" : "idempotency_key",
                message: "has been used for an attempt with other values; use a new key")
            throw Problem.unprocessable([error], .idempotencyKeyUsed)
        default: throw EndpointError(description: "log_outreach answered \(result ?? "NULL")")
        }
    }

    private func answer(
        _ row: Row, status: Int, _ message: String, disclosing disclosure: Disclosure
    ) -> Response {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("success", bool: true)
            writer.member("message", string: message)
            writer.members(Self.attempt, of: row)
        }
        return .json(writer.bytes, status: status, disclosing: disclosure)
    }
}
