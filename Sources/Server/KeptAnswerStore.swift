import API
import PostgreSQL

/// All that an answer is made of beside the database; by bytes, since `==` on strings takes two spellings for equal.
struct AnswerKey: Hashable, Sendable {
    private let bytes: [UInt8]

    init(organization: String, query: Query, cacheKey: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        for part in [organization, query.statement.name, cacheKey] + query.parameters {
            // Its length first, so that what is of one part cannot pass for another's.
            withUnsafeBytes(of: part.map(\.utf8.count) ?? -1) { bytes.append(contentsOf: $0) }
            if let part { bytes.append(contentsOf: part.utf8) }
        }
        self.bytes = bytes
    }

    var count: Int { bytes.count }
}

/// An answer and the state that it was computed in.
final class KeptAnswer: Sendable {
    let key: AnswerKey
    let state: [UInt8]
    private let response: Response
    /// What it takes of the memory, about: beside its bytes, their headers and its places in the store.
    let size: Int

    private static let overhead = 512

    init(key: AnswerKey, state: [UInt8], response: Response) {
        self.key = key
        self.state = state
        self.response = response
        size =
            Self.overhead + key.count + state.count + response.body.count + response.disclosure.size
    }

    /// The answer as it is given at another time.
    func response(at now: [UInt8]) -> Response {
        guard let place = response.answeredAt else { return response }
        var response = response
        response.body.replaceSubrange(place, with: now)
        return response
    }
}

/// Kept answers by their keys, up to a number of bytes; the one not asked for the longest gives way first.
///
/// The order is a ring of places through all answers, from the one used last to the one not used for the longest:
/// every step takes the same time, however many there are.
struct AnswerStore {
    private struct Place {
        var answer: KeptAnswer?
        /// The one used before this one, and the one used after it.
        var older = 0
        var newer = 0
    }

    let capacity: Int
    private(set) var bytes = 0
    private(set) var evictions = 0
    private var index: [AnswerKey: Int] = [:]
    /// The first is no answer's: it is newer than the newest and older than the oldest.
    private var places = [Place()]
    private var free: [Int] = []

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { index.count }

    /// The answer to this question, which is the one used last from now on.
    mutating func find(_ key: AnswerKey) -> KeptAnswer? {
        guard let place = index[key] else { return nil }
        unlink(place)
        link(place)
        return places[place].answer
    }

    /// Keeps an answer, unless it alone is too large; returns those that gave way.
    mutating func insert(_ answer: KeptAnswer) -> [KeptAnswer] {
        guard answer.size <= capacity else { return [] }
        var displaced: [KeptAnswer] = []
        if let place = index[answer.key], let earlier = take(place) { displaced.append(earlier) }
        while bytes + answer.size > capacity, let oldest = take(places[0].newer) {
            evictions += 1
            displaced.append(oldest)
        }
        let place = free.popLast() ?? places.count
        if place == places.count { places.append(Place()) }
        places[place].answer = answer
        index[answer.key] = place
        bytes += answer.size
        link(place)
        return displaced
    }

    /// Gives up an answer, unless another has taken its place meanwhile.
    mutating func remove(_ answer: KeptAnswer) -> KeptAnswer? {
        guard let place = index[answer.key], places[place].answer === answer else { return nil }
        return take(place)
    }

    private mutating func take(_ place: Int) -> KeptAnswer? {
        guard let answer = places[place].answer else { return nil }
        unlink(place)
        places[place] = Place()
        index[answer.key] = nil
        free.append(place)
        bytes -= answer.size
        return answer
    }

    private mutating func unlink(_ place: Int) {
        let (older, newer) = (places[place].older, places[place].newer)
        places[older].newer = newer
        places[newer].older = older
    }

    /// As the newest: between the newest so far and the ring's first place.
    private mutating func link(_ place: Int) {
        let newest = places[0].older
        places[place].older = newest
        places[place].newer = 0
        places[newest].newer = place
        places[0].older = place
    }
}
