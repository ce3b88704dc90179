/// Where the time of one request went.
public struct Timings: Sendable {
    public var authentication = Duration.zero
    /// Waiting for a connection to the database, or opening one.
    public var pool = Duration.zero
    /// From sending the statement to having its rows.
    public var database = Duration.zero
    /// From the rows to the bytes of the answer.
    public var encoding = Duration.zero

    public init() {}

    /// Runs `body` and adds how long it took to one of them.
    mutating func measure<Result>(
        _ part: WritableKeyPath<Timings, Duration>, _ body: () throws -> Result
    ) rethrows -> Result {
        let began = ContinuousClock.now
        defer { self[keyPath: part] += began.duration(to: .now) }
        return try body()
    }

    /// Runs `body`, which asks the database, and tells the waiting from the answering.
    ///
    /// - Parameter waited: how long this thread has waited for connections up to now.
    mutating func measureDatabase<Result>(
        waited: () -> Duration, _ body: () throws -> Result
    ) rethrows -> Result {
        let (began, before) = (ContinuousClock.now, waited())
        defer {
            let waiting = waited() - before
            pool += waiting
            database += began.duration(to: .now) - waiting
        }
        return try body()
    }

    /// The value of `Server-Timing` (W3C Server Timing, section 3): milliseconds.
    var header: String {
        let parts = [("auth", authentication), ("pool", pool), ("db", database), ("enc", encoding)]
        return parts.map { "\($0.0);dur=\(Self.milliseconds($0.1))" }.joined(separator: ", ")
    }

    /// To the microsecond, as `0.042`.
    private static func milliseconds(_ duration: Duration) -> String {
        let microseconds = max(0, duration.microseconds)
        let fraction = String(microseconds % 1000)
        return "\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.utf8.count))\(fraction)"
    }
}

extension Duration {
    /// Whole microseconds, rounded down.
    var microseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}
