import Threads

/// Counts the streams, for the metrics.
public final class StreamCounters: Sendable {
    private struct State {
        var open: [StreamRequest.Transport: Int] = [:]
        var noticesSent = 0
        var dropped = 0
        var lag = StreamStatistics.Lag()
    }

    private let state = Monitor(State())

    public init() {}

    func opened(_ transport: StreamRequest.Transport) { state.withLock { $0.open[transport, default: 0] += 1 } }

    func closed(_ transport: StreamRequest.Transport) { state.withLock { $0.open[transport, default: 0] -= 1 } }

    func add(_ events: Hub.Events) {
        guard events.noticesSent > 0 || events.dropped > 0 || !events.lags.isEmpty else { return }
        state.withLock { state in
            state.noticesSent += events.noticesSent
            state.dropped += events.dropped
            for lag in events.lags { state.lag.add(lag / .seconds(1)) }
        }
    }

    /// The streams now, and their counts since the start.
    public var statistics: StreamStatistics {
        state.withLock { state in
            StreamStatistics(
                events: state.open[.events] ?? 0, webSockets: state.open[.webSocket] ?? 0,
                noticesSent: state.noticesSent, dropped: state.dropped, lag: state.lag)
        }
    }
}

/// The streams now, and their counts since the start.
public struct StreamStatistics: Sendable {
    /// The seconds from the commit of a notice to its sending, as a histogram.
    public struct Lag: Sendable {
        public static let bounds = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60]
        /// For each bound, the notices up to it and above the bound before.
        public private(set) var counts = [Int](repeating: 0, count: Lag.bounds.count)
        public private(set) var count = 0
        public private(set) var sum = 0.0

        mutating func add(_ seconds: Double) {
            if let index = Self.bounds.firstIndex(where: { seconds <= $0 }) { counts[index] += 1 }
            count += 1
            sum += max(0, seconds)
        }
    }

    /// Open event streams.
    public let events: Int
    /// Open WebSockets.
    public let webSockets: Int
    public let noticesSent: Int
    /// Streams that ended because their client did not read.
    public let dropped: Int
    public let lag: Lag
}
