internal import Threads

/// A change in the state of the keys, for the log.
enum KeyEvent: Equatable, Sendable {
    /// Other keys are in force. Some keys of the document were skipped, for these reasons.
    case changed(keys: Int, skipped: [String])
    /// The keys could not be read, for another reason than before. Earlier ones stay in force.
    case failed(String)
    /// The keys have not been readable for so long that they have expired.
    case tooOld
    /// The keys can be read again.
    case recovered
    /// The keys were read because the operator requested it. The values are their number and whether they are new.
    case readAgain(keys: Int, areNew: Bool)
    /// The operator requested a reading of keys that cannot change.
    case fixed
}

/// The thread that fetches the keys of a ``KeyStore`` periodically.
final class KeyRefresher: Sendable {
    /// Fetches keys. It stops early once `isStopped` returns true.
    typealias Load = @Sendable (_ isStopped: @escaping StopCheck) throws(KeyError) -> JWKS

    private struct State {
        var schedule: FetchSchedule
        var lastFailure: String?
        var failures = 0
        var isTooOld = false
        /// True if the operator requested a fetch that has not begun.
        var isAsked = false
    }

    private enum Outcome {
        case loaded(keys: Int, skipped: [String], areNew: Bool)
        case failed(String)

        var failure: String? { if case .failed(let reason) = self { reason } else { nil } }
    }

    private let store: KeyStore
    private let load: Load
    private let report: @Sendable (KeyEvent) -> Void
    private let state: Monitor<State>
    private let loop = ThreadLoop()

    init(
        store: KeyStore, pace: FetchSchedule.Pace, load: @escaping Load, report: @escaping @Sendable (KeyEvent) -> Void
    ) {
        self.store = store
        self.load = load
        self.report = report
        let hasKeys = store.current.keys != nil
        state = Monitor(State(schedule: FetchSchedule(pace: pace, hasKeys: hasKeys, now: .now)))
    }

    func start() throws(Thread.StartError) {
        try loop.start(for: "the signing keys") { [self] in run() }
    }

    /// Ends the thread and the current fetch. Later calls have no effect.
    func stop() {
        loop.stop()
        // A request checks under this lock whether the loop is stopped. Once this thread has had the lock, every
        // request that saw the loop running is waiting and gets the notification.
        state.withLock { _ in }
        state.notifyAll()
        loop.join()
    }

    /// Has the keys fetched at once, or again after the current fetch, and reports the result.
    func readAgain() {
        state.withLock { state in
            state.isAsked = true
            state.schedule.hasten(now: .now)
        }
        loop.wake()
    }

    /// The number of failed fetches since the start.
    var failures: Int { state.withLock { $0.failures } }

    /// True if ``awaitFetchForUnknownKey()`` would wait now.
    var wouldWaitForUnknownKey: Bool { !loop.isStopped && state.withLock { $0.schedule.wouldWait(now: .now) } }

    /// Waits for the end of a fetch that may contain an unknown key.
    ///
    /// - Returns: false if the schedule does not allow a wait or no fetch ended in time.
    func awaitFetchForUnknownKey() -> Bool {
        guard !loop.isStopped,
            case .wait(let fetches, let deadline) = state.withLock({ $0.schedule.unknownKey(now: .now) })
        else { return false }
        loop.wake()
        return state.wait(until: deadline) { state in
            if state.schedule.fetchesEnded >= fetches { return true }
            return loop.isStopped ? false : nil
        } ?? false
    }

    private func run() -> ThreadLoop.Next {
        guard !loop.isStopped else { return .never }
        let isAsked: Bool? = state.withLock { state in
            guard state.schedule.begin(now: .now) else { return nil }
            defer { state.isAsked = false }
            return state.isAsked
        }
        if let isAsked {
            let events = end(fetch(), isAsked: isAsked)
            if !loop.isStopped { events.forEach(report) }
        }
        return .at(state.withLock { $0.schedule.due })
    }

    /// Records the end of a fetch, and returns the events to report.
    private func end(_ outcome: Outcome, isAsked: Bool) -> [KeyEvent] {
        defer { state.notifyAll() }
        return state.withLock { state in
            state.schedule.end(
                now: .now, succeeded: outcome.failure == nil, jitter: .random(in: 0..<1), validUntil: store.validUntil)
            if state.isAsked { state.schedule.hasten(now: .now) }
            if outcome.failure != nil { state.failures += 1 }
            let wasTooOld = state.isTooOld
            state.isTooOld = store.isTooOld
            defer { state.lastFailure = outcome.failure }
            return Self.events(after: state.lastFailure, outcome, isAsked: isAsked)
                + (state.isTooOld && !wasTooOld ? [.tooOld] : [])
        }
    }

    /// Fetches the keys and puts them in force.
    private func fetch() -> Outcome {
        do throws(KeyError) {
            let fresh = try load { [loop] in loop.isStopped }
            return .loaded(keys: fresh.keys.count, skipped: fresh.skipped, areNew: store.replace(with: fresh.keys))
        } catch {
            return .failed(error.text)
        }
    }

    /// The events to report. A lasting error is reported once, and again if the operator requested the fetch.
    private static func events(after failure: String?, _ outcome: Outcome, isAsked: Bool) -> [KeyEvent] {
        switch outcome {
        case .failed(let reason): return isAsked || reason != failure ? [.failed(reason)] : []
        case .loaded(let keys, _, let areNew) where isAsked: return [.readAgain(keys: keys, areNew: areNew)]
        case .loaded(let keys, let skipped, let areNew):
            return (areNew ? [.changed(keys: keys, skipped: skipped)] : []) + (failure == nil ? [] : [.recovered])
        }
    }
}
