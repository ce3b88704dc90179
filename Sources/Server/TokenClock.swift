import Glibc
import JWT

/// The time for checking tokens. It is the machine's clock, but never behind its reading at the start plus the elapsed
/// time.
///
/// Otherwise a clock that is set back would make expired tokens valid again. A clock that is set forward makes tokens
/// expire early, until it is corrected.
struct TokenClock: Sendable {
    private let offsetAtStart: Double

    init() {
        // In this order, so that a delay between the readings sets this clock ahead and not behind. Then no token stays
        // valid beyond its end.
        let steady = seconds(of: CLOCK_MONOTONIC)
        self.init(wall: wallClock(), steady: steady)
    }

    /// - Parameters:
    ///   - wall: seconds since 1970.
    ///   - steady: seconds since an arbitrary moment, by a clock that cannot be set.
    init(wall: Double, steady: Double) { offsetAtStart = wall - steady }

    func now() -> TokenTime { now(wall: wallClock(), steady: seconds(of: CLOCK_MONOTONIC)) }

    /// Only the wall clock limits how far ahead a token's end may be. If it is set back, an end may become too far
    /// ahead.
    func now(wall: Double, steady: Double) -> TokenTime { TokenTime(max(wall, steady + offsetAtStart), wall: wall) }
}
