/// A cache with limits on the number of values and on their bytes. It removes the least recently used value first.
///
/// The places form a ring, from the most to the least recently used one. Every operation takes constant time. The
/// cache has no lock of its own.
///
/// The code is inlinable, so that the compiler specializes it for each module's keys and values. Without that, looking
/// up a verified token takes several microseconds, under the lock that all workers share.
public struct RecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline let key: Key
        @usableFromInline let value: Value
        @usableFromInline let size: Int

        @inlinable
        init(key: Key, value: Value, size: Int) { (self.key, self.value, self.size) = (key, value, size) }
    }

    @usableFromInline
    struct Place: Sendable {
        @usableFromInline var entry: Entry?
        /// The places of the values that were used just before and just after this one.
        @usableFromInline var older = 0
        @usableFromInline var newer = 0

        @inlinable
        init() {}
    }

    @usableFromInline let mostBytes: Int
    @usableFromInline let mostValues: Int
    @usableFromInline var size = 0
    @usableFromInline var index: [Key: Int] = [:]
    /// The first place has no value. It closes the ring, between the newest and the oldest value.
    @usableFromInline var places = [Place()]
    @usableFromInline var free: [Int] = []

    public init(mostBytes: Int, mostValues: Int = .max) {
        (self.mostBytes, self.mostValues) = (mostBytes, mostValues)
    }

    @inlinable
    public var count: Int { index.count }

    /// The sizes of all values together.
    @inlinable
    public var bytes: Int { size }

    /// Returns the value of this key, which becomes the most recently used one.
    @inlinable
    public mutating func find(_ key: Key) -> Value? {
        guard let place = index[key] else { return nil }
        unlink(place)
        link(place)
        return places[place].entry?.value
    }

    /// Stores a value, unless it alone is too large.
    ///
    /// - Returns: the value it replaces, if any, and the values that were removed to make room. The caller frees them
    ///   after it has released its lock.
    @inlinable
    public mutating func insert(_ value: Value, for key: Key, size: Int) -> (replaced: Value?, removed: [Value]) {
        guard size <= mostBytes, mostValues > 0 else { return (nil, []) }
        let replaced = index[key].flatMap { take($0) }
        var removed: [Value] = []
        while self.size + size > mostBytes || count >= mostValues, let oldest = take(places[0].newer) {
            removed.append(oldest)
        }
        let place = free.popLast() ?? places.count
        if place == places.count { places.append(Place()) }
        places[place].entry = Entry(key: key, value: value, size: size)
        index[key] = place
        self.size += size
        link(place)
        return (replaced, removed)
    }

    /// Removes and returns the value of this key if `isMeant` is true for it. Another thread may have replaced it.
    @inlinable
    public mutating func remove(_ key: Key, where isMeant: (Value) -> Bool) -> Value? {
        guard let place = index[key], let value = places[place].entry?.value, isMeant(value) else { return nil }
        return take(place)
    }

    /// Removes and returns the least recently used value if `isMeant` is true for it.
    @inlinable
    public mutating func removeOldest(where isMeant: (Value) -> Bool) -> Value? {
        let oldest = places[0].newer
        guard let value = places[oldest].entry?.value, isMeant(value) else { return nil }
        return take(oldest)
    }

    @inlinable
    mutating func take(_ place: Int) -> Value? {
        guard let entry = places[place].entry else { return nil }
        unlink(place)
        places[place] = Place()
        index[entry.key] = nil
        free.append(place)
        size -= entry.size
        return entry.value
    }

    @inlinable
    mutating func unlink(_ place: Int) {
        let (older, newer) = (places[place].older, places[place].newer)
        places[older].newer = newer
        places[newer].older = older
    }

    /// Makes a place the newest one.
    @inlinable
    mutating func link(_ place: Int) {
        let newest = places[0].older
        places[place].older = newest
        places[place].newer = 0
        places[newest].newer = place
        places[0].older = place
    }
}
