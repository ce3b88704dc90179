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

    /// The value of `Server-Timing` (W3C Server Timing, section 3): milliseconds, to the microsecond.
    var header: String {
        var text: [UInt8] = []
        text.reserveCapacity(80)
        func add(_ name: StaticString, _ duration: Duration) {
            let microseconds = max(0, duration.microseconds)
            name.withUTF8Buffer { text += $0 }
            text += String(microseconds / 1000).utf8
            text.append(UInt8(ascii: "."))
            for divisor in [100, 10, 1] { text.append(UInt8(ascii: "0") + UInt8(microseconds / divisor % 10)) }
        }
        add("auth;dur=", authentication)
        add(", pool;dur=", pool)
        add(", db;dur=", database)
        add(", enc;dur=", encoding)
        return String(decoding: text, as: UTF8.self)
    }
}

extension Duration {
    /// Whole microseconds, rounded down.
    var microseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}
