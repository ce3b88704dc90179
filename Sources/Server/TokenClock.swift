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
        // The steady clock is read first. A delay between the readings then sets this clock ahead and not behind, so
        // that no token stays valid after it has expired.
        let steady = seconds(of: CLOCK_MONOTONIC)
        self.init(wall: wallClock(), steady: steady)
    }

    /// - Parameters:
    ///   - wall: seconds since 1970.
    ///   - steady: seconds since an arbitrary moment, by a clock that cannot be set.
    init(wall: Double, steady: Double) { offsetAtStart = wall - steady }

    func now() -> TokenTime { now(wall: wallClock(), steady: seconds(of: CLOCK_MONOTONIC)) }

    /// The limit on a token's remaining lifetime is checked by the wall clock alone. If that clock is set back, tokens
    /// may be refused because their `exp` is too far in the future.
    func now(wall: Double, steady: Double) -> TokenTime { TokenTime(max(wall, steady + offsetAtStart), wall: wall) }
}
