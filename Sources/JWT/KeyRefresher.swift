internal import Threads

/// An event of the keys, for the log.
enum KeyEvent: Equatable, Sendable {
    /// Other keys are in force, this many. Some were skipped for these reasons.
    case changed(keys: Int, skipped: [String])
    /// They could not be read, for another reason than before. Earlier ones stay in force.
    case failed(String)
    /// They have not been had for so long that they no longer count.
    case tooOld
    /// They can be had again.
    case recovered
    /// They were read because the operator asked for it: their number, and whether they are new.
    case readAgain(keys: Int, areNew: Bool)
    /// The operator asked for it, and they cannot change.
    case fixed
}

/// The thread that fetches the keys of a ``KeyStore`` again and again.
final class KeyRefresher: Sendable {
    /// Fetches keys, until `isStopped` returns true.
    typealias Load = @Sendable (_ isStopped: @escaping StopCheck) throws(KeyError) -> JWKS

    private struct State {
        var schedule: FetchSchedule
        var lastFailure: String?
        var failures = 0
        var isTooOld = false
        /// Whether the operator asked for a fetch that has not begun.
        var isAsked = false
    }

    private enum Outcome {
        case had(keys: Int, skipped: [String], areNew: Bool)
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

    /// Ends the thread, and the fetch under way; later calls do nothing.
    func stop() {
        loop.stop()
        // Once the lock is free, each request that has seen the loop run waits, and so is notified.
        state.withLock { _ in }
        state.notifyAll()
        loop.join()
    }

    /// Has them fetched at once, or again after the fetch under way, and reports the result.
    func readAgain() {
        state.withLock { state in
            state.isAsked = true
            state.schedule.hasten(now: .now)
        }
        loop.wake()
    }

    /// How many fetches have failed since the start.
    var failures: Int { state.withLock { $0.failures } }

    /// Whether ``awaitFetchForUnknownKey()`` would wait now.
    var wouldWaitForUnknownKey: Bool { !loop.isStopped && state.withLock { $0.schedule.wouldWait(now: .now) } }

    /// Waits for the end of a fetch that may contain an unknown key; false where the schedule does not allow it or none
    /// ended in time.
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

    /// Notes the end of a fetch; returns the events to report.
    private func end(_ outcome: Outcome, isAsked: Bool) -> [KeyEvent] {
        defer { state.notifyAll() }
        return state.withLock { state in
            state.schedule.end(
                now: .now, succeeded: outcome.failure == nil, jitter: .random(in: 0..<1), goodUntil: store.goodUntil)
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
            return .had(keys: fresh.keys.count, skipped: fresh.skipped, areNew: store.replace(with: fresh.keys))
        } catch {
            return .failed(error.text)
        }
    }

    /// An error that lasts is reported once, and again to an operator who asks.
    private static func events(after failure: String?, _ outcome: Outcome, isAsked: Bool) -> [KeyEvent] {
        switch outcome {
        case .failed(let reason): return isAsked || reason != failure ? [.failed(reason)] : []
        case .had(let keys, _, let areNew) where isAsked: return [.readAgain(keys: keys, areNew: areNew)]
        case .had(let keys, let skipped, let areNew):
            return (areNew ? [.changed(keys: keys, skipped: skipped)] : []) + (failure == nil ? [] : [.recovered])
        }
    }
}
