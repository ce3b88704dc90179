import API
import PostgreSQL
import Testing

@testable import Server

@Suite("A cached response")
struct CachedResponseTests {
    private func key(
        _ parameters: [String?], statement: String = "s", cacheKey: String = "", organization: String = "o"
    ) -> ResponseKey {
        ResponseKey(
            organization: organization, query: Query(Statement(name: statement, sql: ""), parameters),
            cacheKey: cacheKey)
    }

    @Test("Keys that differ in anything, byte by byte, are different")
    func keys() {
        let keys = [
            key(["a"]), key(["a", nil]), key(["a", ""]), key([nil]), key([]), key([""]), key(["a", "b"]), key(["ab"]),
            key(["a"], statement: "t"), key(["a"], cacheKey: "v"), key(["a"], organization: "p"),
            key(["caf\u{E9}"]), key(["cafe\u{301}"]), key([], organization: "caf\u{E9}"),
            key([], organization: "cafe\u{301}"), key(["b"], statement: "a"), key(["a"], statement: "b"),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(key(["a"]) == key(["a"]))
        #expect(key(["a"]).hashValue == key(["a"]).hashValue)
    }

    @Test("A response gets a new time of any length, and is otherwise unchanged")
    func time() {
        let body = #"{"n":1,"at":"2025-06-30T12:00:00Z"}"#
        let response = Response(
            status: 200, contentType: "application/json", body: Array(body.utf8), answeredAt: 13..<33)
        let cached = CachedResponse(key: key([]), state: [], response: response)
        #expect(cached.response(at: Array("2025-07-01T00:00:01Z".utf8)).text == #"{"n":1,"at":"2025-07-01T00:00:01Z"}"#)
        #expect(
            cached.response(at: Array("10000-01-01T00:00:00Z".utf8)).text == #"{"n":1,"at":"10000-01-01T00:00:00Z"}"#)
        let timeless = CachedResponse(
            key: key([]), state: [], response: Response(status: 200, contentType: nil, body: [1]))
        #expect(timeless.response(at: [2]).body == [1])
    }
}
