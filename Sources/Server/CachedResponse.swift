import API
import PostgreSQL

/// Everything that a response depends on besides the database. Bytes, because `==` of strings ignores normalization.
struct ResponseKey: Hashable, Sendable {
    private let bytes: [UInt8]

    init(organization: String, query: Query, cacheKey: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        for part in [organization, query.statement.name, cacheKey] + query.parameters {
            // Each part has its length before it, so that different parts never make equal keys.
            withUnsafeBytes(of: part.map(\.utf8.count) ?? -1) { bytes.append(contentsOf: $0) }
            if let part { bytes.append(contentsOf: part.utf8) }
        }
        self.bytes = bytes
    }

    var count: Int { bytes.count }
}

/// A response, and the organization's state from which it was computed.
final class CachedResponse: Sendable {
    let key: ResponseKey
    let state: [UInt8]
    private let response: Response
    /// An estimate of its memory in bytes.
    let size: Int

    /// An estimate for object headers and the cache's own entry.
    private static let overhead = 512

    init(key: ResponseKey, state: [UInt8], response: Response) {
        self.key = key
        self.state = state
        self.response = response
        size =
            Self.overhead + key.count + state.count + response.body.count + response.disclosure.size
    }

    /// The response with its time replaced by `now`.
    func response(at now: [UInt8]) -> Response {
        guard let place = response.answeredAt else { return response }
        var response = response
        response.body.replaceSubrange(place, with: now)
        return response
    }
}
