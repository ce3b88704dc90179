import Glibc
import JWT

/// The time at which tokens are checked: the machine's clock, but never earlier than its reading at the start plus the
/// time that has passed since.
///
/// Otherwise a clock that is set back while the server runs would make expired tokens valid again. A clock that is set
/// forward makes tokens expire early, until it is set right.
struct TokenClock: Sendable {
    private let offsetAtStart: Double

    init() {
        // In this order, so that a delay between the two sets this clock ahead and not behind: no token stays valid
        // beyond its end.
        let steady = seconds(of: CLOCK_MONOTONIC)
        self.init(wall: wallClock(), steady: steady)
    }

    /// - Parameters:
    ///   - wall: seconds since 1970.
    ///   - steady: seconds since any moment, by a clock that cannot be set.
    init(wall: Double, steady: Double) { offsetAtStart = wall - steady }

    func now() -> TokenTime { now(wall: wallClock(), steady: seconds(of: CLOCK_MONOTONIC)) }

    /// The wall clock alone decides how far ahead the end of a token may be: if it was set back, an end may have become
    /// too far ahead.
    func now(wall: Double, steady: Double) -> TokenTime { TokenTime(max(wall, steady + offsetAtStart), wall: wall) }
}
