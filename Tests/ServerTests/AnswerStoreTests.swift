import API
import PostgreSQL
import Testing

@testable import Server

@Suite("The store of kept answers")
struct AnswerStoreTests {
    private func key(
        _ parameters: [String?], statement: String = "s", cacheKey: String = "", organization: String = "o"
    ) -> AnswerKey {
        AnswerKey(
            organization: organization, query: Query(Statement(name: statement, sql: ""), parameters),
            cacheKey: cacheKey)
    }

    private func answer(_ name: String, bytes: Int = 1000) -> KeptAnswer {
        let response = Response(status: 200, contentType: nil, body: [UInt8](repeating: 0, count: bytes))
        return KeptAnswer(key: key([name]), state: [], response: response)
    }

    /// A store with room for so many answers as ``answer(_:bytes:)`` makes of a name of one letter.
    private func store(room: Int) -> AnswerStore { AnswerStore(capacity: room * answer("a").size) }

    private func names(_ answers: [KeptAnswer], of names: String) -> String {
        String(names.filter { name in answers.contains { $0.key == key([String(name)]) } })
    }

    @Test("finds what it was given, and nothing under another key")
    func finds() {
        var store = store(room: 3)
        let kept = answer("a")
        #expect(store.insert(kept).isEmpty)
        #expect(store.find(key(["a"])) === kept)
        #expect(store.find(key(["b"])) == nil)
        #expect((store.count, store.bytes) == (1, kept.size))
    }

    @Test("gives up the one not asked for the longest")
    func leastRecentlyUsed() {
        var store = store(room: 3)
        for name in ["a", "b", "c"] { #expect(store.insert(answer(name)).isEmpty) }
        _ = store.find(key(["a"]))
        #expect(names(store.insert(answer("d")), of: "abcd") == "b")
        _ = store.find(key(["c"]))
        #expect(names(store.insert(answer("e")), of: "abcde") == "a")
        #expect(names(store.insert(answer("f", bytes: 1500)), of: "abcdef") == "cd")
        #expect(store.evictions == 4)
        #expect(store.count == 2)
    }

    @Test("never takes more than its bytes, whatever comes and in whatever order")
    func bounded() {
        var store = AnswerStore(capacity: 20_000)
        var random = SystemRandomNumberGenerator()
        var model: [KeptAnswer] = []
        for _ in 0..<5000 {
            let name = "\(UInt8.random(in: 0..<40, using: &random))"
            switch UInt8.random(in: 0..<4, using: &random) {
            case 0:
                let found = store.find(key([name]))
                #expect(found === model.last { $0.key == key([name]) })
                if let found { model = model.filter { $0 !== found } + [found] }
            case 1:
                if let chosen = model.randomElement() {
                    #expect(store.remove(chosen) === chosen)
                    model.removeAll { $0 === chosen }
                }
            default:
                let new = answer(name, bytes: Int.random(in: 0...6000, using: &random))
                let displaced = store.insert(new)
                model = model.filter { $0.key != new.key } + [new]
                while model.reduce(0, { $0 + $1.size }) > 20_000 { model.removeFirst() }
                #expect(displaced.allSatisfy { gone in !model.contains { $0 === gone } })
            }
            #expect(store.count == model.count)
            #expect(store.bytes == model.reduce(0) { $0 + $1.size })
            #expect(store.bytes <= 20_000)
        }
    }

    @Test("does not make room for what would not fit alone")
    func tooLarge() {
        var store = store(room: 2)
        _ = store.insert(answer("a"))
        #expect(store.insert(answer("b", bytes: 10_000)).isEmpty)
        #expect(store.find(key(["a"])) != nil)
        #expect(store.find(key(["b"])) == nil)
        var none = AnswerStore(capacity: 0)
        #expect(none.insert(answer("a")).isEmpty)
        #expect(none.count == 0)
    }

    @Test("replaces an answer by a newer one, and removes only the one that is meant")
    func replacement() {
        var store = store(room: 2)
        let (first, second) = (answer("a"), answer("a", bytes: 500))
        _ = store.insert(first)
        #expect(store.insert(second).map(ObjectIdentifier.init) == [ObjectIdentifier(first)])
        #expect(store.evictions == 0)
        #expect(store.remove(first) == nil)
        #expect(store.find(key(["a"])) === second)
        #expect(store.remove(second) === second)
        #expect((store.count, store.bytes) == (0, 0))
    }

    @Test("tells apart what differs in anything, byte by byte")
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

    @Test("gives an answer its new time and leaves the rest, whatever its length")
    func time() {
        let body = #"{"n":1,"at":"2025-06-30T12:00:00Z"}"#
        let response = Response(
            status: 200, contentType: "application/json", body: Array(body.utf8), answeredAt: 13..<33)
        let kept = KeptAnswer(key: key([]), state: [], response: response)
        #expect(kept.response(at: Array("2025-07-01T00:00:01Z".utf8)).text == #"{"n":1,"at":"2025-07-01T00:00:01Z"}"#)
        #expect(kept.response(at: Array("10000-01-01T00:00:00Z".utf8)).text == #"{"n":1,"at":"10000-01-01T00:00:00Z"}"#)
        let timeless = KeptAnswer(key: key([]), state: [], response: Response(status: 200, contentType: nil, body: [1]))
        #expect(timeless.response(at: [2]).body == [1])
    }
}
