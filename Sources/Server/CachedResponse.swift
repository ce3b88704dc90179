import API
import PostgreSQL

/// Everything that a response depends on besides the database, as bytes, since `==` of strings ignores normalization.
struct ResponseKey: Hashable, Sendable {
    private let bytes: [UInt8]

    init(organization: String, query: Query, cacheKey: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        for part in [organization, query.statement.name, cacheKey] + query.parameters {
            // The length first, so that different parts never make the same bytes.
            withUnsafeBytes(of: part.map(\.utf8.count) ?? -1) { bytes.append(contentsOf: $0) }
            if let part { bytes.append(contentsOf: part.utf8) }
        }
        self.bytes = bytes
    }

    var count: Int { bytes.count }
}

/// A response and the state of the organization that it was computed in.
final class CachedResponse: Sendable {
    let key: ResponseKey
    let state: [UInt8]
    private let response: Response
    /// How much memory it takes, about.
    let size: Int

    /// An estimate for the objects' headers and the places in the cache.
    private static let overhead = 512

    init(key: ResponseKey, state: [UInt8], response: Response) {
        self.key = key
        self.state = state
        self.response = response
        size =
            Self.overhead + key.count + state.count + response.body.count + response.disclosure.size
    }

    /// The response with another time of answering.
    func response(at now: [UInt8]) -> Response {
        guard let place = response.answeredAt else { return response }
        var response = response
        response.body.replaceSubrange(place, with: now)
        return response
    }
}
