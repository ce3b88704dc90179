import NIOCore
import Threads

/// The thread that asks the database for news once a second, with one statement for all organizations with streams.
final class Poller: Sendable {
    private let loop: StreamLoop
    private let eventLoop: any EventLoop
    private let source: StreamSource
    private let thread = ThreadLoop()
    private let nextRound = Monitor(ContinuousClock.now)

    private static let interval = Duration.seconds(1)
    /// How long derived data are refreshed before the news of the other organizations is asked for.
    private static let longestRefresh = Duration.milliseconds(500)

    init(loop: StreamLoop, eventLoop: any EventLoop, source: StreamSource, wake: WakeUp) {
        (self.loop, self.eventLoop, self.source) = (loop, eventLoop, source)
        wake.connect { [thread] in thread.wake() }
    }

    func start() throws(Thread.StartError) {
        try thread.start(for: "the news of the live streams") { [self] in
            runOnce()
            return .at(nextRound.withLock { $0 })
        }
    }

    func stop() { thread.stop() }

    func waitUntilEnded(_ deadline: ContinuousClock.Instant) -> Bool { thread.waitUntilEnded(deadline) }

    /// A round of all organizations if it is due, and otherwise of the streams that need stored notices.
    private func runOnce() {
        let isDue = nextRound.withLock { $0 <= .now }
        if isDue { nextRound.withLock { $0 = .now + Self.interval } }
        var due = ask(questions(onlyReplays: !isDue))
        guard isDue else { return }
        // Answers after a refresh come at once. What is not refreshed in time is due in the next round.
        let end = ContinuousClock.now + Self.longestRefresh
        while !due.isEmpty, .now < end, !thread.isStopped {
            let refreshed = refresh(due, until: end)
            guard !refreshed.isEmpty else { return }
            due = ask(questions(onlyReplays: false).filter { refreshed.contains(Array($0.organization.utf8)) })
        }
    }

    /// Refreshes derived data in random order, so that no organization always waits for the others.
    private func refresh(_ due: [String], until end: ContinuousClock.Instant) -> Set<[UInt8]> {
        var refreshed: Set<[UInt8]> = []
        for organization in due.shuffled() where .now < end && !thread.isStopped {
            if source.refresh(organization) { refreshed.insert(Array(organization.utf8)) }
        }
        return refreshed
    }

    /// Asks until nothing more is stored. Returns the organizations whose derived data have to be refreshed.
    private func ask(_ first: [Question]) -> [String] {
        var questions = first
        var due: [String] = []
        while !questions.isEmpty, !thread.isStopped {
            guard let answers = source.ask(questions) else { return [] }
            let receivedAt = ContinuousClock.now
            due = answers.filter(\.isDue).map(\.organization)
            guard onLoop({ $0.take(answers, receivedAt: receivedAt) }) == true else { return due }
            questions = self.questions(onlyReplays: false)
        }
        return due
    }

    private func questions(onlyReplays: Bool) -> [Question] {
        onLoop { $0.hub.questions(onlyReplays: onlyReplays) } ?? []
    }

    /// Runs `body` on the event loop and waits for its result. Nil if the loop has ended.
    private func onLoop<Result: Sendable>(_ body: @escaping @Sendable (StreamLoop) -> Result) -> Result? {
        do {
            return try eventLoop.submit { [loop] in body(loop) }.wait()
        } catch {
            return nil
        }
    }
}

/// Wakes a thread that is made later.
final class WakeUp: Sendable {
    private let action = Monitor<(@Sendable () -> Void)?>(nil)

    func connect(_ action: @escaping @Sendable () -> Void) { self.action.withLock { $0 = action } }

    func callAsFunction() { action.withLock { $0 }?() }
}
