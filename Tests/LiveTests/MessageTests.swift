import Testing

@testable import Live

@Suite("The messages of a stream")
struct MessageTests {
    static let notice = Notice(sequence: 4711, kind: "critical", cause: "time", day: "2025-06-30", number: 1)

    @Test("Each message is one JSON object with a type")
    func json() {
        let counts = AlertCounts(critical: 117, newToday: 3, open: 18)
        let cases: [(Message, String)] = [
            (.hello(sequence: 1, counts), #"{"type":"hello","sequence":1,"critical":117,"new_today":3,"open":18}"#),
            (
                .heartbeat(sequence: 2, counts),
                #"{"type":"heartbeat","sequence":2,"critical":117,"new_today":3,"open":18}"#
            ),
            (
                .notice(Self.notice),
                #"{"type":"notice","sequence":4711,"kind":"critical","cause":"time","day":"2025-06-30","number":1}"#
            ),
            (.reset(sequence: 5), #"{"type":"reset","sequence":5}"#),
            (
                .bye(.tooSlow, retry: .milliseconds(1500)),
                #"{"type":"bye","reason":"too_slow","retry_ms":1500}"#
            ),
        ]
        for (message, json) in cases { #expect(String(decoding: message.json, as: UTF8.self) == json) }
    }

    @Test("Only a notice has an id in an event stream")
    func events() {
        #expect(String(buffer: Frame(.notice(Self.notice)).event).hasPrefix("id: 4711\ndata: {"))
        #expect(String(buffer: Frame(.reset(sequence: 5)).event) == "data: {\"type\":\"reset\",\"sequence\":5}\n\n")
    }

    @Test(
        "The length of a WebSocket's frame takes as few bytes as it can",
        arguments: [(125, [0x81, 125]), (126, [0x81, 126, 0, 126]), (65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0])])
    func frames(length: Int, head: [UInt8]) {
        let frame = WebSocketBytes.frame(.text, [UInt8](repeating: 1, count: length))
        #expect(Array(frame.readableBytesView.prefix(head.count)) == head)
        #expect(frame.readableBytes == head.count + length)
    }

    @Test(
        "A close frame has its code",
        arguments: [(WebSocketBytes.CloseCode.goingAway, 1001), (.policyViolation, 1008)])
    func close(code: WebSocketBytes.CloseCode, number: Int) {
        let bytes = Array(WebSocketBytes.close(code).readableBytesView)
        #expect(bytes == [0x88, 2, UInt8(number >> 8), UInt8(number & 255)])
    }

    @Test("Only an object with a token is a message of a client")
    func tokens() {
        #expect(TokenMessage.token(in: Array(#"{"token": "a.b.c", "more": 1}"#.utf8)) == Array("a.b.c".utf8))
        let others = [
            "", "{}", "[]", #"{"token": 1}"#, #"{"token": null}"#, #"{"token": "a", "token": "b"}"#, "\u{FEFF}{}",
        ]
        for text in others {
            #expect(TokenMessage.token(in: Array(text.utf8)) == nil)
        }
    }
}
