import Glibc
import JWT

/// The time that tokens are judged by: the machine's clock, but never earlier than it was at the start plus what has
/// passed since.
///
/// A clock that is set back while the server runs would otherwise give life back to tokens that have ended. One that
/// is set forward ends them early, until it is set right.
struct TokenClock: Sendable {
    private let offsetAtStart: Double

    init() {
        // In this order: a thread that is held up between the two puts its clock ahead, not behind, so that no token
        // outlives its end.
        let steady = Self.steady()
        self.init(wall: wallClock(), steady: steady)
    }

    /// - Parameters:
    ///   - wall: seconds since 1970.
    ///   - steady: seconds since any moment, by a clock that nobody sets.
    init(wall: Double, steady: Double) { offsetAtStart = wall - steady }

    func now() -> TokenTime { now(wall: wallClock(), steady: Self.steady()) }

    /// How long a token may yet live is told by the wall clock alone: where that was set back, an end that looked near
    /// enough lies further ahead.
    func now(wall: Double, steady: Double) -> TokenTime { TokenTime(max(wall, steady + offsetAtStart), wall: wall) }

    private static func steady() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
