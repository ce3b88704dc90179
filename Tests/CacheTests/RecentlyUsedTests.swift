import Testing

@testable import Cache

@Suite("The cache of recently used values")
struct RecentlyUsedTests {
    private final class Item: Sendable {
        let name: String
        let size: Int

        init(_ name: String, size: Int = 1000) { (self.name, self.size) = (name, size) }
    }

    private typealias Store = RecentlyUsed<String, Item>

    /// Inserts an item, and returns the names of those removed for it.
    private func insert(_ item: Item, _ store: inout Store) -> String {
        store.insert(item, for: item.name, size: item.size).removed.map(\.name).joined()
    }

    @Test("A value is found under its key and no other")
    func finds() {
        var store = Store(mostBytes: 3000)
        let item = Item("a")
        #expect(insert(item, &store) == "")
        #expect(store.find("a") === item)
        #expect(store.find("b") == nil)
        #expect((store.count, store.bytes) == (1, 1000))
    }

    @Test("The least recently used value is removed first")
    func leastRecentlyUsed() {
        var store = Store(mostBytes: 3000)
        for name in ["a", "b", "c"] { #expect(insert(Item(name), &store) == "") }
        _ = store.find("a")
        #expect(insert(Item("d"), &store) == "b")
        _ = store.find("c")
        #expect(insert(Item("e"), &store) == "a")
        #expect(insert(Item("f", size: 1500), &store) == "dc")
        #expect(store.count == 2)
    }

    @Test("The cache never exceeds its bytes and its number of values, in any order of use")
    func bounded() {
        var store = Store(mostBytes: 20_000, mostValues: 9)
        var random = SystemRandomNumberGenerator()
        var model: [Item] = []
        for _ in 0..<5000 {
            let name = "\(UInt8.random(in: 0..<40, using: &random))"
            switch UInt8.random(in: 0..<5, using: &random) {
            case 0:
                let found = store.find(name)
                #expect(found === model.last { $0.name == name })
                if let found { model = model.filter { $0 !== found } + [found] }
            case 1:
                if let chosen = model.randomElement() {
                    #expect(store.remove(chosen.name) { $0 === chosen } === chosen)
                    model.removeAll { $0 === chosen }
                }
            case 2:
                let oldest = model.first
                #expect(store.removeOldest { $0.size > 3000 } === oldest.flatMap { $0.size > 3000 ? $0 : nil })
                if let oldest, oldest.size > 3000 { model.removeFirst() }
            default:
                let new = Item(name, size: Int.random(in: 0...6000, using: &random))
                let (replaced, removed) = store.insert(new, for: name, size: new.size)
                #expect(replaced === model.first { $0.name == name })
                model = model.filter { $0.name != name } + [new]
                var gone: [Item] = []
                while model.count > 9 || model.reduce(0, { $0 + $1.size }) > 20_000 { gone.append(model.removeFirst()) }
                #expect(removed.map(ObjectIdentifier.init) == gone.map(ObjectIdentifier.init))
            }
            #expect(store.count == model.count)
            #expect(store.bytes == model.reduce(0) { $0 + $1.size })
        }
    }

    @Test("A value that does not fit alone removes no other", arguments: [(0, 5), (1500, 0)])
    func tooLarge(bytes: Int, values: Int) {
        var store = Store(mostBytes: 2000)
        _ = insert(Item("a"), &store)
        #expect(insert(Item("b", size: 10_000), &store) == "")
        #expect(store.find("a") != nil)
        #expect(store.find("b") == nil)
        var none = Store(mostBytes: bytes, mostValues: values)
        #expect(insert(Item("a"), &none) == "")
        #expect(none.count == 0)
    }

    @Test("A newer value replaces the one with its key, and removal affects only the given value")
    func replacement() {
        var store = Store(mostBytes: 2000)
        let (first, second) = (Item("a"), Item("a", size: 500))
        _ = insert(first, &store)
        let (replaced, removed) = store.insert(second, for: "a", size: second.size)
        #expect(replaced === first && removed.isEmpty)
        #expect(store.remove("a") { $0 === first } == nil)
        #expect(store.find("a") === second)
        #expect(store.remove("a") { $0 === second } === second)
        #expect((store.count, store.bytes) == (0, 0))
    }
}
