import API
import Threads

/// Limits how often an organization may do something, by the responses within a sliding period. The caller passes the
/// time.
struct OrganizationUsage {
    private struct Use {
        /// The times of the responses that count, the oldest first.
        var counted: [ContinuousClock.Instant] = []
        /// The requests that have no response yet.
        var pending = 0
    }

    private var uses: [[UInt8]: Use] = [:]
    private var sweepAt = 10_000

    var organizations: Int { uses.count }

    /// Admits a request, or returns the time to wait.
    mutating func admit(
        _ organization: [UInt8], _ limit: OrganizationLimit, now: ContinuousClock.Instant
    ) -> Duration? {
        var use = uses[organization] ?? Use()
        use.counted.removeAll { $0 + limit.period <= now }
        defer { uses[organization] = use }
        guard use.counted.count + use.pending < limit.most else {
            // If only requests without a response are in the way, one may fail at any moment.
            return use.counted.first.map { now.duration(to: $0 + limit.period) } ?? .seconds(1)
        }
        use.pending += 1
        return nil
    }

    /// Ends a request that was admitted.
    mutating func end(_ organization: [UInt8], _ limit: OrganizationLimit, counts: Bool, now: ContinuousClock.Instant) {
        uses[organization]?.pending -= 1
        if counts { uses[organization]?.counted.append(now) }
        guard uses.count >= sweepAt else { return }
        uses = uses.filter { $0.value.pending > 0 || ($0.value.counted.last.map { $0 + limit.period > now } ?? false) }
        sweepAt = max(10_000, 2 * uses.count)
    }
}

/// The limits of organizations of all worker threads together.
final class OrganizationLimiter: Sendable {
    private let usage = Monitor<[String: OrganizationUsage]>([:])

    /// Admits a request of an organization to a route.
    ///
    /// - Throws: a 429 with `Retry-After`.
    func admit(_ route: String, _ limit: OrganizationLimit, _ organization: String) throws(Problem) -> Admission {
        let admission = Admission(limiter: self, route: route, limit: limit, organization: Array(organization.utf8))
        let wait = usage.withLock {
            $0[route, default: OrganizationUsage()].admit(admission.organization, limit, now: .now)
        }
        guard let wait else { return admission }
        admission.isOver.withLock { $0 = true }
        throw .tooManyOfOrganization(limit, retryAfter: max(1, Int((wait / .seconds(1)).rounded(.up))))
    }

    /// A request that was admitted. It counts only if its response has the status of the limit. A request that gets no
    /// response ends with this object.
    final class Admission: Sendable {
        private let limiter: OrganizationLimiter
        private let route: String
        private let limit: OrganizationLimit
        fileprivate let organization: [UInt8]
        fileprivate let isOver = Monitor(false)

        fileprivate init(
            limiter: OrganizationLimiter, route: String, limit: OrganizationLimit, organization: [UInt8]
        ) {
            (self.limiter, self.route, self.limit, self.organization) = (limiter, route, limit, organization)
        }

        deinit { end(counts: false) }

        /// Counts the response if it has the status of the limit.
        func end(_ response: Response) { end(counts: response.status == limit.status) }

        private func end(counts: Bool) {
            let wasOver = isOver.withLock { isOver in
                defer { isOver = true }
                return isOver
            }
            guard !wasOver else { return }
            limiter.usage.withLock { $0[route]?.end(organization, limit, counts: counts, now: .now) }
        }
    }
}
