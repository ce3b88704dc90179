/// Values by their keys, up to a number of values and of bytes. The least recently used one is removed first.
///
/// The order is a ring of places, from the most recently used to the least recently used, so that every operation takes
/// the same time whatever the number of values. It has no lock.
///
/// Its code is inlinable, so that the compiler specializes it for each module's keys and values. Without that a look for
/// a verified token takes several microseconds, under the lock that all workers share.
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
        /// The one used before this one, and the one used after it.
        @usableFromInline var older = 0
        @usableFromInline var newer = 0

        @inlinable
        init() {}
    }

    @usableFromInline let mostBytes: Int
    @usableFromInline let mostValues: Int
    @usableFromInline var size = 0
    @usableFromInline var index: [Key: Int] = [:]
    /// The first has no value: it is newer than the newest and older than the oldest.
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

    /// The value of this key, which becomes the most recently used one.
    @inlinable
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

    /// Removes and returns the value of this key if `isMeant` holds for it: another thread may have replaced it.
    @inlinable
    public mutating func remove(_ key: Key, where isMeant: (Value) -> Bool) -> Value? {
        guard let place = index[key], let value = places[place].entry?.value, isMeant(value) else { return nil }
        return take(place)
    }

    /// Removes and returns the least recently used value if `isMeant` holds for it.
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

    /// Makes it the newest: between the newest so far and the ring's first place.
    @inlinable
    mutating func link(_ place: Int) {
        let newest = places[0].older
        places[place].older = newest
        places[place].newer = 0
        places[newest].newer = place
        places[0].older = place
    }
}
