internal import Threads

/// Whether the sender is to stop, and when its transfers are broken off.
final class Stopping: Sendable {
    /// The time for outcomes after transfers are broken off, which libcurl notices within a second.
    private static let recording = Duration.milliseconds(1300)

    private let end = Monitor<ContinuousClock.Instant?>(nil)

    /// Transfers that have not ended by `end` are broken off.
    func begin(until end: ContinuousClock.Instant) { self.end.withLock { $0 = end } }

    var hasBegun: Bool { end.withLock { $0 != nil } }

    /// True once transfers are to be broken off.
    var isOver: Bool { end.withLock { end in end.map { $0 <= .now } ?? false } }

    /// The last time at which an outcome is recorded.
    func recordingEnd(_ usual: Duration) -> ContinuousClock.Instant {
        end.withLock { end in min(.now + usual, end.map { $0 + Self.recording } ?? .now + usual) }
    }
}
