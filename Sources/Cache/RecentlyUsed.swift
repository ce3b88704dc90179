/// Values by their keys, up to a number of values and of bytes. The least recently used one is removed first.
///
/// The order is a ring of places, from the most recently used to the least recently used, so that every operation takes
/// the same time whatever the number of values. It has no lock.
public struct RecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        let key: Key
        let value: Value
        let size: Int
    }

    private struct Place {
        var entry: Entry?
        /// The one used before this one, and the one used after it.
        var older = 0
        var newer = 0
    }

    private let mostBytes: Int
    private let mostValues: Int
    /// The sizes of all values together.
    public private(set) var bytes = 0
    private var index: [Key: Int] = [:]
    /// The first has no value: it is newer than the newest and older than the oldest.
    private var places = [Place()]
    private var free: [Int] = []

    public init(mostBytes: Int, mostValues: Int = .max) {
        (self.mostBytes, self.mostValues) = (mostBytes, mostValues)
    }

    public var count: Int { index.count }

    /// The value of this key, which becomes the most recently used one.
    public mutating func find(_ key: Key) -> Value? {
        guard let place = index[key] else { return nil }
        unlink(place)
        link(place)
        return places[place].entry?.value
    }

    /// Stores a value, unless it alone is too large.
    ///
    /// - Returns: the value it replaces, if any, and those that were removed to make room. The caller frees them, after
    ///   its lock.
    public mutating func insert(_ value: Value, for key: Key, size: Int) -> (replaced: Value?, removed: [Value]) {
        guard size <= mostBytes, mostValues > 0 else { return (nil, []) }
        let replaced = index[key].flatMap { take($0) }
        var removed: [Value] = []
        while bytes + size > mostBytes || count >= mostValues, let oldest = take(places[0].newer) {
            removed.append(oldest)
        }
        let place = free.popLast() ?? places.count
        if place == places.count { places.append(Place()) }
        places[place].entry = Entry(key: key, value: value, size: size)
        index[key] = place
        bytes += size
        link(place)
        return (replaced, removed)
    }

    /// Removes and returns the value of this key if `isMeant` holds for it: another thread may have replaced it.
    public mutating func remove(_ key: Key, where isMeant: (Value) -> Bool) -> Value? {
        guard let place = index[key], let value = places[place].entry?.value, isMeant(value) else { return nil }
        return take(place)
    }

    /// Removes and returns the least recently used value if `isMeant` holds for it.
    public mutating func removeOldest(where isMeant: (Value) -> Bool) -> Value? {
        let oldest = places[0].newer
        guard let value = places[oldest].entry?.value, isMeant(value) else { return nil }
        return take(oldest)
    }

    private mutating func take(_ place: Int) -> Value? {
        guard let entry = places[place].entry else { return nil }
        unlink(place)
        places[place] = Place()
        index[entry.key] = nil
        free.append(place)
        bytes -= entry.size
        return entry.value
    }

    private mutating func unlink(_ place: Int) {
        let (older, newer) = (places[place].older, places[place].newer)
        places[older].newer = newer
        places[newer].older = older
    }

    /// Makes it the newest: between the newest so far and the ring's first place.
    private mutating func link(_ place: Int) {
        let newest = places[0].older
        places[place].older = newest
        places[place].newer = 0
        places[newest].newer = place
        places[0].older = place
    }
}
