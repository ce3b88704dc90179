import API

/// Refuses requests that have waited so long for a worker thread that the client may have gone.
///
/// Without it a queue that has once grown would never shrink: each request would be served, and each too late. nginx
/// stamps a request as it forwards it, by the clock of the machine that both run on.
struct QueueTimeout: Sendable {
    /// Nil if nginx may run on another machine, whose clock differs.
    let longest: Duration?

    /// nginx itself abandons a request after 20 s. A longer wait, or a negative one, means that the clock was set
    /// meanwhile.
    private static let plausible = 0.0..<20.0

    /// - Parameters:
    ///   - handedOver: when nginx forwarded the request, in seconds since 1970. Nil if it sends no stamp.
    ///   - now: the same machine's wall clock.
    func check(handedOver: Double?, now: Double) throws(Problem) {
        guard let longest, let handedOver else { return }
        let waited = now - handedOver
        guard Self.plausible.contains(waited), waited > longest / .seconds(1) else { return }
        throw .serverBusy
    }
}
