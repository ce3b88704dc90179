import API

/// Refuses what has waited so long for a worker thread that whoever asked may have gone.
///
/// Without it a queue that grew once stays: each request would be served, and each too late. nginx stamps a request
/// as it hands it over, by the clock of the machine that both run on.
struct Patience: Sendable {
    /// nil where the two may run on different machines, whose clocks differ.
    let longest: Duration?

    /// nginx itself gives a request up after 20 s: what seems to have waited longer, or less than not at all, came
    /// with a clock that was set meanwhile.
    private static let plausible = 0.0..<20.0

    /// - Parameters:
    ///   - handedOver: when nginx did so, in seconds since 1970; nil where it does not say.
    ///   - now: the same machine's wall clock.
    func check(handedOver: Double?, now: Double) throws(Problem) {
        guard let longest, let handedOver else { return }
        let waited = now - handedOver
        guard Self.plausible.contains(waited), waited > longest / .seconds(1) else { return }
        throw Self.problem
    }

    /// What is said to whoever has waited too long.
    static let problem = Problem.unavailable(.serverBusy, "More requests than can be answered; try again shortly.")
}
