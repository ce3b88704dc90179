internal import Threads

/// What happens to the keys, for whoever logs it.
enum KeyEvent: Equatable, Sendable {
    /// Other keys are in force, this many; some were passed over for these reasons.
    case changed(keys: Int, skipped: [String])
    /// They could not be had, for another reason than before; earlier ones stay in force.
    case failed(String)
    /// They can be had again.
    case recovered
}

/// The thread that keeps the keys of a ``KeyStore`` fresh.
final class KeyRefresher: Sendable {
    typealias Load = @Sendable (StopFlag) throws(KeyLoadError) -> JWKS

    private struct State {
        var schedule: FetchSchedule
        var isStopping = false
        var lastFailure: String?
        var thread: Thread?
    }

    private enum Step { case fetch, stop }

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
        while case .fetch = nextStep() {
            let failure = fetch()
            let events = state.withLock { state in
                state.schedule.end(now: .now, succeeded: failure == nil, jitter: .random(in: 0..<1))
                defer { state.lastFailure = failure }
                return Self.events(from: state.lastFailure, to: failure)
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
                return state.schedule.begin(now: .now) ? .fetch : nil
            }
            if let step { return step }
        }
    }

    /// Puts what can be had in force; otherwise says why it cannot.
    private func fetch() -> String? {
        do throws(KeyLoadError) {
            let fresh = try load(stopFlag)
            if store.replace(with: fresh.keys) { report(.changed(keys: fresh.keys.count, skipped: fresh.skipped)) }
            return nil
        } catch {
            return error.message
        }
    }

    /// A fault that lasts is told once.
    private static func events(from before: String?, to now: String?) -> [KeyEvent] {
        switch (before, now) {
        case (_, let now?) where now != before: [.failed(now)]
        case (.some, nil): [.recovered]
        default: []
        }
    }
}
