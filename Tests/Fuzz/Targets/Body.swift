@testable import API

/// The body of a search: an accepted one has valid arguments for the list.
private func fuzzSearch(_ call: Call) {
    do throws(Problem) {
        let search = try SearchPatients(call)
        precondition((1...200).contains(search.question.limit))
        precondition(search.question.text.map { (3...100).contains($0.unicodeScalars.count) } ?? true)
        let digest = try search.question.digest()
        precondition(digest.utf8.count == 22)
        check(search.query)
    } catch {
        precondition([400, 422].contains(error.status))
        check(error)
    }
}

/// The body of an acknowledgement.
private func fuzzAcknowledgement(_ call: Call) {
    do throws(Problem) {
        let acknowledgement = try AcknowledgeAlert(call)
        precondition((1...200).contains(acknowledgement.patientID.unicodeScalars.count))
        precondition(acknowledgement.note.unicodeScalars.count <= 1000)
        precondition(acknowledgement.until.map { $0.text.utf8.count == 10 } ?? true)
        check(acknowledgement.query)
    } catch {
        precondition([400, 422].contains(error.status))
        check(error)
    }
}

/// The body of log-outreach, with an idempotency key before its first line break.
@Sendable func fuzzBody(_ input: [UInt8]) {
    let parts = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
    let key = parts.count > 1 ? Array(parts[0]) : nil
    let request = Request(method: "POST", target: Array("/".utf8), idempotencyKey: key)
    let call = Call(organization: "org", subject: "user", request: request, body: Array(parts[parts.count - 1]))
    fuzzSearch(call)
    fuzzAcknowledgement(call)
    do throws(Problem) {
        let attempt = try LogOutreach(call)
        precondition((1...200).contains(attempt.patientID.unicodeScalars.count))
        precondition(attempt.notes.unicodeScalars.count <= 4000)
        precondition(attempt.idempotencyKey.map { (1...255).contains($0.utf8.count) } ?? (key == nil))
        check(attempt.query)
    } catch {
        precondition([400, 422].contains(error.status))
        check(error)
    }
}
