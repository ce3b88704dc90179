/// How long to leave alone what fails again and again: each pause is twice the one before, up to a longest.
public struct GrowingPause: Sendable {
    private let first: Duration
    /// No pause is longer.
    public let longest: Duration

    public init(first: Duration, longest: Duration) {
        (self.first, self.longest) = (first, longest)
    }

    /// The pause after so many failures in a row.
    ///
    /// - Parameter jitter: from 0 up to 1: from half of the pause up to the whole, so that many servers do not come back
    ///   in step.
    public func after(failures: Int, jitter: Double = 1) -> Duration {
        let doublings = min(max(failures - 1, 0), 16)
        return min(first * (1 << doublings), longest) * (0.5 + jitter / 2)
    }
}
