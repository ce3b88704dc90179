/// A semaphore's permits, and the elements that wait for one in order, without a thread, a lock or a clock.
///
/// A thread returns its permit by ``next()`` and gets the element that has waited longest, which it then works on. So
/// no other thread has to be woken.
struct AdmissionQueue<Element> {
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
    /// About how many bytes the waiting elements take.
    private(set) var bytes = 0
    private var isClosed = false
    /// In order of arrival, from `first` on. The elements before it are removed.
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

    /// Returns the caller's permit; the next element, if one waits, keeps it.
    mutating func next() -> Element? {
        if let element = takeFirst() { return element }
        granted -= 1
        return nil
    }

    /// Removes the elements whose deadline has passed. They are ordered by deadline, or nearly so.
    mutating func takeLate(now: Instant) -> [Element] {
        var late: [Element] = []
        while first < entries.count, let entry = entries[first], entry.deadline <= now, let element = takeFirst() {
            late.append(element)
        }
        return late
    }

    /// Lets no element wait from now on, and removes those that do.
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
