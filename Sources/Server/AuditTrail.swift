import Logging
import PostgreSQL
import Threads

/// Writes what has been answered into the database, many entries at once, on a thread of its own.
///
/// An entry is taken in before its answer is sent and is durable some 100 ms later. What a `kill -9` can lose, and what
/// happens when the database takes no entries, is told in docs/audit.md.
final class AuditTrail: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// What it has done and has to do.
    struct Statistics {
        var waiting = 0
        var written = 0
        var refused = 0
        var failures = 0
        var lost = 0
    }

    private struct State {
        var backlog = AuditBacklog()
        var written = 0
        var failures = 0
        var lost = 0
        /// Why the last attempt to write failed, until one succeeds.
        var trouble: PostgreSQLError?
        /// Once told to stop: until when to go on trying.
        var stopBy: ContinuousClock.Instant?
        var hasEnded = false
    }

    /// How long the first entry of a batch waits for company: the most that a healthy system can lose.
    private static let linger = Duration.milliseconds(100)
    private static let pauseAfterFailure = Duration.milliseconds(200)
    private static let longest = Duration.seconds(3600)

    private let database: Database
    private let logger: Logger
    private let state = Monitor(State())

    init(database: @escaping Database, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    var statistics: Statistics {
        state.withLock {
            Statistics(
                waiting: $0.backlog.count, written: $0.written, refused: $0.backlog.refused, failures: $0.failures,
                lost: $0.lost)
        }
    }

    /// Why no entry can be written at present, without what it may quote; nil where the last attempt succeeded.
    var trouble: PostgreSQLError? { state.withLock { $0.trouble } }

    /// Takes an entry in; where that is refused, its answer must not be sent.
    func record(_ entry: AuditEntry) -> Bool {
        let now = ContinuousClock.now
        let (isAdmitted, wakes) = state.withLock { state in
            let wasEmpty = state.backlog.isEmpty
            let isAdmitted = state.backlog.add(entry, now: now)
            return (isAdmitted, isAdmitted && (wasEmpty || state.backlog.bytes >= AuditBatch.mostBytes))
        }
        if wakes { state.notifyAll() }
        return isAdmitted
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try Thread.start { [self] in
            while let entries = nextEntries() { write(entries) }
            state.withLock { $0.hasEnded = true }
            state.notifyAll()
        }.detach()
    }

    /// Has everything written, and returns how many entries could not be by `deadline`.
    func stop(by deadline: ContinuousClock.Instant) -> Int {
        state.withLock { $0.stopBy = deadline }
        state.notifyAll()
        _ = state.wait(until: deadline) { $0.hasEnded ? true : nil }
        return state.withLock { $0.backlog.count }
    }

    /// Waits for the next entries; nil at the end.
    private func nextEntries() -> [AuditEntry]? {
        _ = state.wait(until: .now + Self.longest) { !$0.backlog.isEmpty || $0.stopBy != nil ? true : nil }
        _ = state.wait(until: .now + Self.linger) {
            $0.stopBy != nil || $0.backlog.bytes >= AuditBatch.mostBytes ? true : nil
        }
        return state.withLock { state in
            let entries = state.backlog.takeAll()
            return entries.isEmpty && state.stopBy != nil ? nil : entries
        }
    }

    private func write(_ entries: [AuditEntry]) {
        var rest = entries[...]
        while !rest.isEmpty {
            let batch = AuditBatch.prefix(of: rest)
            guard writeUntilDone(batch) else { return }
            rest = rest.dropFirst(batch.count)
        }
        state.withLock { $0.backlog.finishWriting() }
    }

    /// Tries again until it is written; false where the stop comes first.
    private func writeUntilDone(_ batch: ArraySlice<AuditEntry>) -> Bool {
        var isFirstFailure = true
        while true {
            do throws(PostgreSQLError) {
                _ = try database(AuditBatch.query(batch))
                settle(batch) { ($0.written, $0.trouble) = ($0.written + batch.count, nil) }
                return true
            } catch {
                let isAboutTheData = error.isAboutTheData
                state.withLock { state in
                    state.failures += 1
                    state.trouble = isAboutTheData ? nil : error.withoutText
                }
                if isAboutTheData { return writeApart(batch, error) }
                if isFirstFailure {
                    logger.warning("the audit could not be written", metadata: ["reason": "\(error.withoutText)"])
                }
                isFirstFailure = false
            }
            guard pauseAfterFailure() else { return false }
        }
    }

    /// Finds the entry that the database will not have, so that it does not keep the others out.
    private func writeApart(_ batch: ArraySlice<AuditEntry>, _ error: PostgreSQLError) -> Bool {
        guard batch.count > 1 else {
            logger.error(
                "an audit entry was refused",
                metadata: ["reason": "\(error.withoutText)", "request_id": "\(batch.first?.requestID ?? "")"])
            settle(batch) { $0.lost += 1 }
            return true
        }
        let middle = batch.startIndex + batch.count / 2
        return writeUntilDone(batch[..<middle]) && writeUntilDone(batch[middle...])
    }

    private func settle(_ batch: ArraySlice<AuditEntry>, _ count: (inout State) -> Void) {
        let bytes = batch.reduce(0) { $0 + $1.size }
        state.withLock { state in
            state.backlog.settle(bytes: bytes, count: batch.count)
            count(&state)
        }
    }

    /// False where there is no time for another attempt.
    private func pauseAfterFailure() -> Bool {
        let end = ContinuousClock.now + Self.pauseAfterFailure
        // Told to stop meanwhile, it tries at once, and then once a pause.
        _ = state.wait(until: end) { $0.stopBy.map { $0 <= .now } == true ? true : nil }
        return state.withLock { $0.stopBy.map { $0 > .now } ?? true }
    }
}

extension PostgreSQLError {
    /// Whether the same values will be refused again: data that does not fit (class 22) or breaks a rule (23).
    fileprivate var isAboutTheData: Bool {
        if case .refused(let state, _) = self { ["22", "23"].contains(state.conditionClass) } else { false }
    }

    /// PostgreSQL's own text may quote what was to be written.
    fileprivate var withoutText: PostgreSQLError {
        switch self {
        case .refused(let state, _): .refused(state, Self.withheld)
        case .unavailable(let state, _): .unavailable(state, Self.withheld)
        default: self
        }
    }

    private static let withheld = "the audit takes no entry; PostgreSQL's log says more"
}
