import Testing

@testable import Delivery

@Suite("The delivery of a digest")
struct DigestDeliveryTests {
    /// Replies to each attempt, and the recipients of each.
    private func run(_ recipients: [String], isLast: Bool = false, _ replies: [MailResult]) -> (
        result: DigestDelivery.Result, refused: [String], attempts: [[String]]
    ) {
        var (rest, attempts) = (replies, [[String]]())
        let delivery = DigestDelivery(recipients: recipients, isLast: isLast) { recipients in
            attempts.append(recipients)
            return rest.removeFirst()
        }
        let (result, refused, _) = delivery.run()
        return (result, refused, attempts)
    }

    private let all = ["a@x", "b@x", "c@x"]
    private let refused = MailResult.recipientRefused(index: 1, code: 550, isFinal: true)
    private let greylisted = MailResult.recipientRefused(index: 1, code: 451, isFinal: false)

    @Test("A recipient refused for good is left out, and the others get one message")
    func leftOut() {
        let (result, refused, attempts) = run(all, [refused, .sent])
        #expect(result == .sent && refused == ["b@x"] && attempts == [all, ["a@x", "c@x"]])
    }

    @Test("A recipient who may be accepted later delays the message for all")
    func delayed() {
        let (result, refused, attempts) = run(all, [greylisted])
        #expect(result == .retry && refused == [] && attempts == [all])
    }

    @Test("The last attempt goes without those")
    func last() {
        let (result, refused, attempts) = run(all, isLast: true, [greylisted, .sent])
        #expect(result == .sent && refused == [] && attempts == [all, ["a@x", "c@x"]])
        #expect(
            run(["a@x", "b@x"], isLast: true, [greylisted, .recipientRefused(index: 0, code: 451, isFinal: false)])
                .result == .retry)
    }

    @Test("A refusal of all ends it")
    func refusedByAll() {
        let one = MailResult.recipientRefused(index: 0, code: 550, isFinal: true)
        #expect(run(all, [one, one, one]).result == .refused)
        #expect(run(all, [.refused(code: 554)]).result == .refused)
        #expect(run([], []).result == .refused)
    }

    @Test("What is no address is never given to a relay")
    func noAddress() {
        let (result, refused, attempts) = run(["a@x", "b@x> SIZE=1\r\nRCPT TO:<c@x"], [.sent])
        #expect(result == .sent && refused.count == 1 && attempts == [["a@x"]])
    }
}
