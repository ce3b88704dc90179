internal import Threads

/// What happens to the keys, for whoever logs it.
enum KeyEvent: Equatable, Sendable {
    /// Other keys are in force, this many; some were passed over for these reasons.
    case changed(keys: Int, skipped: [String])
    /// They could not be had, for another reason than before; earlier ones stay in force.
    case failed(String)
    /// They have not been had for so long that they no longer count.
    case tooOld
    /// They can be had again.
    case recovered
    /// They were read because somebody asked for it: this many, and whether others are in force now.
    case readAgain(keys: Int, areNew: Bool)
    /// Somebody asked for it, and they cannot change.
    case fixed
}

/// The thread that keeps the keys of a ``KeyStore`` fresh.
final class KeyRefresher: Sendable {
    typealias Load = @Sendable (StopFlag) throws(KeyLoadError) -> JWKS

    private struct State {
        var schedule: FetchSchedule
        var isStopping = false
        var lastFailure: String?
        var failures = 0
        var isTooOld = false
        /// Whether somebody asked for a fetch that has not begun.
        var isAsked = false
        var thread: Thread?
    }

    private enum Step {
        case fetch(isAsked: Bool)
        case stop
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
    private let stopFlag = StopFlag()

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
        let thread = try Thread.start { self.run() }
        state.withLock { $0.thread = thread }
    }

    /// Ends the thread, and the fetch that is under way; later calls do nothing.
    func stop() {
        stopFlag.raise()
        let thread = state.withLock { state in
            defer { state.thread = nil }
            state.isStopping = true
            return state.thread
        }
        state.notifyAll()
        thread?.join()
    }

    /// Has them fetched at once, or again after the fetch that is under way, and reports what comes of it.
    func readAgain() {
        state.withLock { state in
            state.isAsked = true
            state.schedule.hasten(now: .now)
        }
        state.notifyAll()
    }

    /// How many fetches have failed since the start.
    var failures: Int { state.withLock { $0.failures } }

    /// Whether ``awaitFetchForUnknownKey()`` would wait now.
    var wouldWaitForUnknownKey: Bool { state.withLock { !$0.isStopping && $0.schedule.wouldWait(now: .now) } }

    /// Waits, if the schedule allows it, for the end of a fetch that may bring an unknown key; false where
    /// none ended in time.
    func awaitFetchForUnknownKey() -> Bool {
        let answer = state.withLock { $0.isStopping ? .refuse : $0.schedule.unknownKey(now: .now) }
        guard case .wait(let fetches, let deadline) = answer else { return false }
        state.notifyAll()
        return state.wait(until: deadline) { state in
            if state.schedule.fetchesEnded >= fetches { return true }
            return state.isStopping ? false : nil
        } ?? false
    }

    private func run() {
        while case .fetch(let isAsked) = nextStep() {
            let outcome = fetch()
            let events = state.withLock { state in
                state.schedule.end(
                    now: .now, succeeded: outcome.failure == nil, jitter: .random(in: 0..<1), goodUntil: store.goodUntil
                )
                if state.isAsked { state.schedule.hasten(now: .now) }
                if outcome.failure != nil { state.failures += 1 }
                let wasTooOld = state.isTooOld
                state.isTooOld = store.isTooOld
                defer { state.lastFailure = outcome.failure }
                return Self.events(after: state.lastFailure, outcome, isAsked: isAsked)
                    + (state.isTooOld && !wasTooOld ? [.tooOld] : [])
            }
            state.notifyAll()
            if !stopFlag.isRaised { events.forEach(report) }
        }
    }

    private func nextStep() -> Step {
        while true {
            let due = state.withLock { $0.schedule.due }
            let step: Step? = state.wait(until: due) { state in
                if state.isStopping { return .stop }
                guard state.schedule.begin(now: .now) else { return nil }
                defer { state.isAsked = false }
                return .fetch(isAsked: state.isAsked)
            }
            if let step { return step }
        }
    }

    /// Puts what can be had in force; otherwise says why it cannot.
    private func fetch() -> Outcome {
        do throws(KeyLoadError) {
            let fresh = try load(stopFlag)
            return .had(keys: fresh.keys.count, skipped: fresh.skipped, areNew: store.replace(with: fresh.keys))
        } catch {
            return .failed(error.message)
        }
    }

    /// A fault that lasts is told once, and to whoever asks.
    private static func events(after failure: String?, _ outcome: Outcome, isAsked: Bool) -> [KeyEvent] {
        switch outcome {
        case .failed(let reason): return isAsked || reason != failure ? [.failed(reason)] : []
        case .had(let keys, _, let areNew) where isAsked: return [.readAgain(keys: keys, areNew: areNew)]
        case .had(let keys, let skipped, let areNew):
            return (areNew ? [.changed(keys: keys, skipped: skipped)] : []) + (failure == nil ? [] : [.recovered])
        }
    }
}
