import JSON

/// The durations of a request's parts.
public struct Timings: Sendable {
    public var authentication = Duration.zero
    /// The wait for a database connection, or for opening one.
    public var pool = Duration.zero
    /// From sending the statement to receiving its rows.
    public var database = Duration.zero
    /// From the rows to the bytes of the response.
    public var encoding = Duration.zero

    public init() {}

    /// Runs `body` and adds its duration to one part.
    mutating func measure<Result>(
        _ part: WritableKeyPath<Timings, Duration>, _ body: () throws -> Result
    ) rethrows -> Result {
        let began = ContinuousClock.now
        defer { self[keyPath: part] += began.duration(to: .now) }
        return try body()
    }

    /// Runs `body`, which queries the database. The wait for a connection is added to ``pool``, and the rest to
    /// ``database``.
    ///
    /// - Parameter waited: the calling thread's total wait for connections.
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

    /// The value of `Server-Timing` (W3C Server Timing, section 3), in milliseconds with three decimals.
    var header: String {
        var header = ByteBuffer(capacity: 80)
        header.append("auth;dur=")
        header.append(milliseconds: authentication)
        header.append(", pool;dur=")
        header.append(milliseconds: pool)
        header.append(", db;dur=")
        header.append(milliseconds: database)
        header.append(", enc;dur=")
        header.append(milliseconds: encoding)
        return header.text
    }
}

extension ByteBuffer {
    fileprivate mutating func append(milliseconds duration: Duration) {
        let (whole, fraction) = max(0, duration.microseconds).quotientAndRemainder(dividingBy: 1000)
        append(number: whole)
        append(fraction < 10 ? ".00" : fraction < 100 ? ".0" : ".")
        append(number: fraction)
    }
}

extension Duration {
    /// Whole microseconds, rounded down. All log lines and `Server-Timing` use it.
    var microseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}
