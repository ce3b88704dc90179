import API

/// Refuses requests that have waited so long for a worker thread that the client may have disconnected.
///
/// Without it a long queue would never shrink, because each request would be served too late. nginx adds a timestamp
/// when it forwards a request. It is comparable only if both run on one machine.
struct QueueTimeout: Sendable {
    /// The timeout. Nil if nginx may run on another machine, whose clock differs.
    let longest: Duration?

    /// nginx abandons a request after 20 s. A longer wait, or a negative one, means that the clock was set meanwhile.
    private static let plausible = 0.0..<20.0

    /// - Parameters:
    ///   - forwardedAt: the time when nginx forwarded the request, in seconds since 1970. Nil without a timestamp.
    ///   - now: the same machine's wall clock.
    func check(forwardedAt: Double?, now: Double) throws(Problem) {
        guard let longest, let forwardedAt else { return }
        let waited = now - forwardedAt
        guard Self.plausible.contains(waited), waited > longest / .seconds(1) else { return }
        throw .serverBusy
    }
}
