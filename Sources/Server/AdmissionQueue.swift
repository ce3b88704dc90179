/// A semaphore's permits and the elements that wait for one, in order. It has no thread, lock or clock.
///
/// A thread that returns its permit by ``next()`` gets the element that has waited longest, and processes it with the
/// same permit. So no other thread has to be woken.
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
    /// An estimate of the memory of the waiting elements, in bytes.
    private(set) var bytes = 0
    private var isClosed = false
    /// The elements in order of arrival. Those before `first` have been removed.
    private var entries: [Entry?] = []
    private var first = 0

    /// - Parameters:
    ///   - capacity: the maximum number of waiting elements.
    ///   - mostBytes: the maximum memory of all waiting elements.
    init(permits: Int, capacity: Int, mostBytes: Int = .max) {
        self.permits = permits
        self.capacity = capacity
        self.mostBytes = mostBytes
    }

    var waiting: Int { entries.count - first }

    /// Grants a free permit, or appends the element to the queue until `deadline`.
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

    /// Returns the next element, which takes over the caller's permit. Nil if none waits, and the permit is free again.
    mutating func next() -> Element? {
        if let element = takeFirst() { return element }
        granted -= 1
        return nil
    }

    /// Removes and returns the elements whose deadline has passed. The queue is nearly in the order of deadlines.
    mutating func takeLate(now: Instant) -> [Element] {
        var late: [Element] = []
        while first < entries.count, let entry = entries[first], entry.deadline <= now, let element = takeFirst() {
            late.append(element)
        }
        return late
    }

    /// Closes the queue for new elements, and removes and returns the waiting ones.
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
