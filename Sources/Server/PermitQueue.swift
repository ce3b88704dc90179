/// Permits to do what may take long, and in order those who wait for one, without a thread, a lock or a clock.
///
/// Whoever has a permit gives it back with ``next()``, which passes it on to the one who has waited longest: nobody has
/// to be woken for that, since a thread with a permit does what it is handed.
struct PermitQueue<Element> {
    typealias Instant = ContinuousClock.Instant

    enum Admission { case granted, waits, refused }

    private struct Entry {
        let element: Element
        let size: Int
        let deadline: Instant
    }

    let permits: Int
    private let capacity: Int
    private let mostBytes: Int
    private(set) var granted = 0
    /// What those who wait take of the memory, about.
    private(set) var bytes = 0
    private var isClosed = false
    /// In the order of their coming, from `first` on; what is before it has gone.
    private var entries: [Entry?] = []
    private var first = 0

    /// - Parameters:
    ///   - capacity: how many may wait.
    ///   - mostBytes: how much memory they may take together.
    init(permits: Int, capacity: Int, mostBytes: Int = .max) {
        self.permits = permits
        self.capacity = capacity
        self.mostBytes = mostBytes
    }

    var waiting: Int { entries.count - first }

    /// Grants a permit where one is free, or puts the element behind the others until `deadline`.
    mutating func admit(_ element: Element, size: Int = 0, until deadline: Instant) -> Admission {
        if granted < permits {
            granted += 1
            return .granted
        }
        guard waiting < capacity, size <= mostBytes - bytes, !isClosed else { return .refused }
        entries.append(Entry(element: element, size: size, deadline: deadline))
        bytes += size
        return .waits
    }

    /// Passes the caller's permit on to the next, or takes it back where nobody waits.
    mutating func next() -> Element? {
        if let element = takeFirst() { return element }
        granted -= 1
        return nil
    }

    /// Takes out those whose time is over. They come in the order of their deadlines, or nearly so.
    mutating func takeLate(now: Instant) -> [Element] {
        var late: [Element] = []
        while first < entries.count, let entry = entries[first], entry.deadline <= now, let element = takeFirst() {
            late.append(element)
        }
        return late
    }

    /// Lets nobody wait from now on, and takes out those who do.
    mutating func close() -> [Element] {
        isClosed = true
        var rest: [Element] = []
        while let element = takeFirst() { rest.append(element) }
        return rest
    }

    private mutating func takeFirst() -> Element? {
        guard first < entries.count, let entry = entries[first] else { return nil }
        entries[first] = nil
        bytes -= entry.size
        first += 1
        if first == entries.count || first >= 1024 {
            entries.removeFirst(first)
            first = 0
        }
        return entry.element
    }
}
