import API
import Testing

@testable import Server

@Suite("CORS")
struct CORSTests {
    private let cors = CORS(allowedOrigins: ["https://app.example.com", "http://localhost:3000"])
    private let allowed = Array("https://app.example.com".utf8)

    @Test("An allowed origin is named in the response, with the headers that its pages may read")
    func allowedOrigin() {
        #expect(
            cors.headers(origin: allowed) == [
                Header("Vary", "Origin"), Header("Access-Control-Allow-Origin", "https://app.example.com"),
                Header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Server-Timing"),
            ])
        #expect(cors.headers(origin: Array("http://localhost:3000".utf8))[1].value == "http://localhost:3000")
    }

    @Test(
        "An origin that is not configured is not allowed, and caches learn that the response depends on the origin",
        arguments: [
            nil, "", "null", "*", "https://app.example.com/", "https://App.example.com", "http://app.example.com",
            "https://app.example.com:443", "https://app.example.com.evil.test", "https://evil.test",
            "https://app.example.com, http://localhost:3000", "https://app.example.com\r\nX: y",
        ])
    func otherOrigins(origin: String?) {
        #expect(cors.headers(origin: origin.map { Array($0.utf8) }) == [Header("Vary", "Origin")])
        #expect(cors.preflightHeaders(Preflight(), origin: origin.map { Array($0.utf8) }) == nil)
    }

    @Test("Without configured origins, no header is sent")
    func none() {
        let cors = CORS(allowedOrigins: [])
        for origin in [nil, allowed] {
            #expect(cors.headers(origin: origin) == [])
            #expect(cors.preflightHeaders(Preflight(), origin: origin) == nil)
        }
    }

    private static let own = "Authorization, Content-Type, Idempotency-Key, X-Request-Id"

    private func answer(_ preflight: Preflight) -> [String: String] {
        let headers = cors.preflightHeaders(preflight, origin: allowed) ?? []
        return Dictionary(headers.map { ($0.name, $0.value) }) { first, _ in first }
    }

    @Test("A preflight gets the API's methods and the headers that the API reads")
    func preflight() {
        #expect(
            answer(Preflight()) == [
                "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, OPTIONS",
                "Access-Control-Allow-Headers": Self.own, "Access-Control-Max-Age": "600",
            ])
    }

    @Test(
        "A page may send any header that it names in its preflight",
        arguments: [
            "x-organization-id", "authorization,baggage,sentry-trace,traceparent,x-requested-with", "A, b\t,\tc ",
            "a,,b", ",",
            "!#$%&'*+-.^_`|~09AZaz", String(repeating: "x", count: 2048), "a" + String(repeating: ",b", count: 1023),
        ])
    func requestedHeaders(list: String) {
        let preflight = Preflight(requestedHeaders: Array(list.utf8))
        #expect(answer(preflight)["Access-Control-Allow-Headers"] == "\(Self.own), \(list)")
    }

    @Test(
        "A list that is not made of tokens or is longer than 2 kB is not repeated",
        arguments: [
            "", "a b", "a\r\nX: y", "a:b", "a;b", "é", "a,\"b\"", "a\0", "(a)", "a/b", "a=b", "{}", "a@b", "a\u{7F}",
            String(repeating: "x", count: 2049),
        ])
    func malformedHeaders(list: String) {
        #expect(answer(Preflight(requestedHeaders: Array(list.utf8)))["Access-Control-Allow-Headers"] == Self.own)
    }

    @Test(
        "A page of a more public network is allowed if its preflight requests it",
        arguments: ["true", "TRUE", "1", "", "true, true"])
    func privateNetwork(value: String) {
        let found = answer(Preflight(privateNetwork: Array(value.utf8)))["Access-Control-Allow-Private-Network"]
        #expect(found == (value == "true" ? "true" : nil))
    }
}

@Suite("The id of a request")
struct RequestIDTests {
    @Test(
        "The caller's id is used if it is valid",
        arguments: [
            "a", "0", "-", ".", "_", "Az09._-", "3f2b8c1e-0d4a-4f5e-9a1b-000000000000",
            String(repeating: "x", count: 128),
        ])
    func sane(text: String) {
        #expect(RequestID.from(Array(text.utf8)) == text)
    }

    @Test(
        "A missing or invalid id is replaced by a new one",
        arguments: [
            "", " ", "a b", "a,b", "a/b", "a:b", "é", "a\n", "a\r\nX: y", "\0", "<script>", "ﬁ",
            String(repeating: "x", count: 129),
        ])
    func insane(text: String) {
        let id = RequestID.from(Array(text.utf8))
        #expect(id != text)
        #expect(id.utf8.count == 32)
        #expect(RequestID.from(Array(id.utf8)) == id)
    }

    @Test("Each new id is different")
    func unique() {
        #expect(Set((0..<10_000).map { _ in RequestID.from(nil) }).count == 10_000)
        #expect(RequestID.from([0xFF]).utf8.count == 32)
    }
}

@Suite("The bearer token")
struct BearerTokenTests {
    private func token(_ header: String?) -> String? {
        Authenticator.bearerToken(header.map { Array($0.utf8) }).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("The token follows its scheme, in any case and after any number of spaces")
    func present() {
        for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "bEaReR    a.b.c"] {
            #expect(token(header) == "a.b.c")
        }
        #expect(token("Bearer a b") == "a b")
        #expect(token("Bearer a.b.c ") == "a.b.c ")
    }

    @Test(
        "Without a scheme, with another scheme or without a text, there is no token",
        arguments: [
            nil, "", " ", "Bearer", "Bearer ", "Bearer   ", "a.b.c", "Bearera.b.c", "Bearer\ta.b.c", " Bearer a.b.c",
            "Basic a.b.c",
            "Bearer: a.b.c", "Token a.b.c", "Bearer,a b", "Beare a.b.c", "\"Bearer\" a", "\u{2}earer a",
        ])
    func absent(header: String?) {
        #expect(token(header) == nil)
    }
}
