import API
import JWT
import Live
import Testing

@testable import Server

@Suite("The opening of a stream")
struct StreamOpeningTests {
    private let cors = CORS(allowedOrigins: ["https://app.example.com"])

    private func request(_ headers: [(String, String)], webSocket: Bool = true) -> StreamRequest {
        StreamRequest(
            method: "GET", target: Array("/".utf8), headers: headers, transport: webSocket ? .webSocket : .events)
    }

    private func isAllowed(_ headers: [(String, String)], webSocket: Bool = true) -> Bool {
        let request = request(headers, webSocket: webSocket)
        let opening = StreamOpening(isWebSocket: webSocket, isHandshakeValid: true, places: StreamPlaces())
        do throws(Problem) {
            try opening.checkOrigin(of: Incoming(request, RequestHeaders(request), opening), cors)
            return true
        } catch {
            #expect(error.status == 403)
            return false
        }
    }

    @Test("A WebSocket is allowed from the listed origins, from the same host and without an origin")
    func allowed() {
        #expect(isAllowed([]))
        #expect(isAllowed([("Origin", "https://app.example.com"), ("Host", "api.example.com")]))
        #expect(isAllowed([("Origin", "https://api.example.com"), ("Host", "API.example.com")]))
        #expect(isAllowed([("Origin", "http://localhost:8000"), ("Host", "localhost:8000")]))
        #expect(isAllowed([("Origin", "https://evil.example"), ("Host", "api.example.com")], webSocket: false))
    }

    @Test(
        "A WebSocket is refused from any other origin",
        arguments: [
            "https://evil.example", "null", "", "https://api.example.com.evil.example", "https://api.example.com:444",
            "api.example.com", "https://app.example.com.", "https://APP.example.com",
        ])
    func refused(origin: String) {
        #expect(!isAllowed([("Origin", origin), ("Host", "api.example.com")]))
        #expect(!isAllowed([("Origin", origin)]))
    }

    @Test("The origin of a WebSocket that is given twice is refused")
    func twice() {
        #expect(!isAllowed([("Origin", "https://app.example.com"), ("Origin", "https://app.example.com")]))
    }

    @Test("The token is that of Authorization, or that among a WebSocket's subprotocols")
    func token() {
        let protocols = [("Sec-WebSocket-Protocol", "reengagement.v1, bearer.a.b.c")]
        func authorization(_ headers: [(String, String)], webSocket: Bool = true) -> [UInt8]? {
            LiveDoor.authorization(RequestHeaders(request(headers)), isWebSocket: webSocket)
        }
        #expect(authorization(protocols) == Array("Bearer a.b.c".utf8))
        let twice = [("sec-websocket-protocol", "reengagement.v1"), ("Sec-WebSocket-Protocol", "bearer.x")]
        #expect(authorization(twice) == Array("Bearer x".utf8))
        #expect(authorization([("Authorization", "Bearer d")] + protocols) == Array("Bearer d".utf8))
        #expect(authorization(protocols, webSocket: false) == nil)
        #expect(authorization([("Sec-WebSocket-Protocol", "reengagement.v1")]) == nil)
    }

    @Test("The response names the subprotocol if it was offered")
    func subprotocol() {
        func names(_ offered: String) -> [String] {
            let opening = StreamOpening(isWebSocket: true, isHandshakeValid: true, places: StreamPlaces())
            return LiveDoor.streamHeaders(opening, RequestHeaders(request([("Sec-WebSocket-Protocol", offered)])))
                .map(\.value)
        }
        #expect(names("bearer.x,reengagement.v1") == ["reengagement.v1"])
        #expect(names("reengagement.v2, bearer.x") == [])
    }

    @Test("The first opening of a subject and organization in an hour is noted once")
    func firstOpenings() {
        let openings = FirstOpenings()
        let claims = Claims(subject: "caf\u{E9}", organization: "o", expiresAt: 0)
        #expect(openings.note(claims, at: 3600))
        #expect(!openings.note(claims, at: 7199))
        #expect(openings.note(Claims(subject: "cafe\u{301}", organization: "o", expiresAt: 0), at: 7199))
        #expect(openings.note(Claims(subject: "caf\u{E9}", organization: "p", expiresAt: 0), at: 7199))
        #expect(openings.note(claims, at: 7200))
        openings.forget(claims)
        #expect(openings.note(claims, at: 7201))
        // A clock that is set back begins another hour.
        #expect(openings.note(claims, at: 100))
    }
}
