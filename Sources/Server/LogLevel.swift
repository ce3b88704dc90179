public import Logging
import Synchronization

/// The minimum level of log lines. It is shared by the process and can change while it runs.
public final class LogLevel: Sendable {
    private let index: Atomic<Int>

    public init(_ level: Logger.Level) { index = Atomic(Self.index(of: level)) }

    public var current: Logger.Level { Logger.Level.allCases[index.load(ordering: .relaxed)] }

    /// Moves one level towards `trace`, or towards `critical` if `moreVerbose` is false.
    ///
    /// Only one thread may call it.
    func step(moreVerbose: Bool) {
        let next = index.load(ordering: .relaxed) + (moreVerbose ? -1 : 1)
        index.store(min(max(next, 0), Logger.Level.allCases.count - 1), ordering: .relaxed)
    }

    private static func index(of level: Logger.Level) -> Int {
        // The cases are ordered from `trace` to `critical`. Each level is among them, so 0 is never used.
        Logger.Level.allCases.firstIndex(of: level) ?? 0
    }
}
