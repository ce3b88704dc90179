import Testing

@testable import Delivery

@Suite("The dialogue with a mail relay")
struct SMTPDialogueTests {
    private func result(_ lines: [(command: String, reply: String)], isComplete: Bool = false, isUploaded: Bool = false)
        -> MailResult
    {
        var dialogue = SMTPDialogue()
        for (command, reply) in lines {
            if !command.isEmpty { dialogue.noteCommand(Array("\(command)\r\n".utf8)) }
            if !reply.isEmpty {
                dialogue.noteReply(Array("\(reply)\r\n".utf8), isUploaded: isUploaded && command.isEmpty)
            }
        }
        return dialogue.result(isComplete: isComplete, isUploaded: isUploaded)
    }

    private let begin = [("EHLO host", "250 relay"), ("MAIL FROM:<a@b>", "250 OK")]

    @Test("A mail that was taken is sent")
    func sent() { #expect(result(begin, isComplete: true, isUploaded: true) == .sent) }

    @Test("A refused recipient is told from a refused sender")
    func refusals() {
        let first = [("RCPT TO:<c@d>", "250 OK")]
        #expect(
            result(begin + first + [("RCPT TO:<e@f>", "550 no"), ("QUIT", "221 bye")])
                == .recipientRefused(index: 1, code: 550, isFinal: true))
        #expect(
            result(begin + [("RCPT TO:<c@d>", "451 later")]) == .recipientRefused(index: 0, code: 451, isFinal: false))
        #expect(result([("EHLO host", "250 relay"), ("MAIL FROM:<a@b>", "550 no")]) == .refused(code: 550))
        #expect(result(begin + first + [("DATA", "554 no")]) == .refused(code: 554))
        #expect(result([("EHLO host", "250 relay"), ("MAIL FROM:<a@b>", "451 later")]) == .later(code: 451))
        #expect(result(begin + [("RCPT TO:<c@d>", "421 closing")]) == .later(code: 421))
    }

    @Test("Without a transaction, everything may succeed later", arguments: ["", "535 no such login", "554 go away"])
    func login(reply: String) {
        #expect(result([("AUTH PLAIN", reply)]) == .later(code: reply.isEmpty ? nil : Int(reply.prefix(3))))
    }

    @Test("After the end of the message, the relay's answer decides, and without one it may have the mail")
    func final() {
        let data = begin + [("RCPT TO:<c@d>", "250 OK"), ("DATA", "354 go on")]
        #expect(result(data, isUploaded: true) == .unknown)
        #expect(result(data + [("", "452 full")], isUploaded: true) == .later(code: 452))
        #expect(result(data + [("", "554 spam")], isUploaded: true) == .refused(code: 554))
        #expect(result(data + [("", "250 taken"), ("QUIT", "")], isUploaded: true) == .sent)
        #expect(result(data) == .later(code: nil))
    }
}
