/// When the background work may try organizations again whose last attempt failed, without a clock of its own.
struct FailedOrganizations {
    typealias Instant = ContinuousClock.Instant

    private struct Failure {
        var count = 0
        var next: Instant
    }

    /// After the first failure; each further one doubles it.
    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(60)

    private var failures: [String: Failure] = [:]

    /// Those that are not to be tried yet.
    mutating func waiting(now: Instant) -> [String] {
        // Whatever has not failed again for long is in order, or gone.
        failures = failures.filter { now < $0.value.next + Self.longestPause * 2 }
        return failures.filter { now < $0.value.next }.keys.sorted()
    }

    /// Returns how long it is left alone.
    mutating func failed(_ organization: String, now: Instant) -> Duration {
        var failure = failures[organization] ?? Failure(next: now)
        let pause = min(Self.firstPause * (1 << min(failure.count, 16)), Self.longestPause)
        failure.count += 1
        failure.next = now + pause
        failures[organization] = failure
        return pause
    }

    mutating func succeeded(_ organization: String) { failures[organization] = nil }
}
