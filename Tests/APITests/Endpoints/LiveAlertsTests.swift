import PostgreSQL
import Testing

@testable import API

@Suite("alerts/live")
struct LiveAlertsTests {
    private func call(_ query: String = "", lastEventID: String? = nil) -> Call {
        Call(
            organization: "org_1", subject: "user_1",
            request: Request(
                method: "GET", target: Array("/?\(query)".utf8), lastEventID: lastEventID.map { Array($0.utf8) }))
    }

    @Test("A stream begins after the number of Last-Event-ID, else of after, and without either from now on")
    func after() throws {
        #expect(try LiveAlerts(call()).after == nil)
        #expect(try LiveAlerts(call("after=0")).after == 0)
        #expect(try LiveAlerts(call("after=9223372036854775807")).after == .max)
        #expect(try LiveAlerts(call("after=7", lastEventID: "12")).after == 12)
        #expect(try LiveAlerts(call("after=x", lastEventID: "0")).after == 0)
    }

    @Test(
        "Anything but a number is refused",
        arguments: ["", "x", "-1", "+1", "01", "1.0", "1, 2", " 1", "9223372036854775808", "\u{661}"])
    func invalid(text: String) {
        #expect(errors(of: LiveAlerts.self, call(lastEventID: text)) == ["Last-Event-ID"])
        let encoded = text.utf8.map { "%" + String(Int($0) + 0x100, radix: 16).suffix(2) }.joined()
        #expect(errors(of: LiveAlerts.self, call("after=\(encoded)")) == ["after"])
    }

    @Test("The response begins a stream with the numbers of its first message, and names the number in the audit")
    func numbers() throws {
        let endpoint = try LiveAlerts(call("after=7"))
        let response = try endpoint.respond(
            to: endpoint.result([["sequence": "12", "critical": "5", "new_today": "1", "open": "2"]]))
        #expect(response.status == 200 && response.contentType == "text/event-stream" && response.body.isEmpty)
        let stream = try #require(response.stream)
        #expect((stream.after, stream.sequence) == (7, 12))
        #expect((stream.critical, stream.newToday, stream.open) == (5, 1, 2))
        #expect(endpoint.filter.map(\.value) == ["7"])
        #expect(throws: EndpointError.self) { _ = try endpoint.respond(to: endpoint.result([[:]])) }
    }

    @Test("Only this endpoint is a stream")
    func streams() {
        #expect(Route.all.filter(\.isStream).map(\.template) == ["/api/v1/reengagement/{org_id}/alerts/live"])
    }
}
