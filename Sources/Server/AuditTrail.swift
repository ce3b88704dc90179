import Logging
import PostgreSQL
import Threads

/// Writes what has been answered into the database, many entries at once, on a thread of its own.
///
/// An entry is taken in before its answer is sent and is durable some 100 ms later. What a `kill -9` can lose, and what
/// happens when the database takes no entries, or one of them never, is told in docs/audit.md.
final class AuditTrail: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// What it has done and has to do.
    struct Statistics {
        var waiting = 0
        var written = 0
        var refused = 0
        var failures = 0
        var isolated = 0
        var lost = 0
    }

    private struct State {
        var backlog = AuditBacklog()
        var suspects = AuditSuspects()
        var written = 0
        var failures = 0
        var isolated = 0
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
    /// How often one entry fails alone before it is isolated, where its error might pass.
    private static let mostAttemptsAlone = 3

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
                isolated: $0.isolated, lost: $0.lost)
        }
    }

    /// Why no entry can be written at present, without what it may quote; nil where the last attempt succeeded.
    var trouble: PostgreSQLError? { state.withLock { $0.trouble } }

    /// Takes an entry in; where that is refused, its answer must not be sent.
    func record(_ entry: AuditEntry) -> Bool {
        let now = ContinuousClock.now
        let (isSuspect, isAdmitted, wakes) = state.withLock { state in
            if state.suspects.contains(entry, now: now) { return (true, false, false) }
            let wasEmpty = state.backlog.isEmpty
            let isAdmitted = state.backlog.add(entry, now: now)
            return (false, isAdmitted, isAdmitted && (wasEmpty || state.backlog.bytes >= AuditBatch.mostBytes))
        }
        if isSuspect { return writeFirst(entry) }
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

    /// Of somebody one of whose entries was refused: the answer waits for the entry.
    private func writeFirst(_ entry: AuditEntry) -> Bool {
        let isWritten = tryToWrite([entry]) == nil
        state.withLock { state in
            if isWritten { state.written += 1 } else { state.backlog.refuse() }
        }
        return isWritten
    }

    /// Tries again until it is written or isolated; false where the stop comes first.
    private func writeUntilDone(_ batch: ArraySlice<AuditEntry>) -> Bool {
        var (isFirstFailure, attemptsAlone) = (true, 0)
        while let error = tryToWrite(batch) {
            if takesOthers(error) {
                // So whatever the error is, it is about these entries, or has passed.
                guard let entry = batch.first, batch.count == 1 else { return writeApart(batch, error) }
                attemptsAlone += 1
                let isSure = error.isAboutTheData || isStopping || attemptsAlone >= Self.mostAttemptsAlone
                if isSure, isolate(entry, error) { return true }
            } else if isFirstFailure {
                logger.warning("the audit could not be written", metadata: ["reason": "\(error.withoutText)"])
                isFirstFailure = false
            }
            guard pauseAfterFailure() else { return false }
        }
        settle(batch) { $0.written += batch.count }
        return true
    }

    /// Returns why the entries could not be written; nil where they were.
    private func tryToWrite(_ batch: ArraySlice<AuditEntry>) -> PostgreSQLError? {
        do throws(PostgreSQLError) {
            _ = try database(AuditBatch.query(batch))
            state.withLock { $0.trouble = nil }
            return nil
        } catch {
            state.withLock { $0.failures += 1 }
            return error
        }
    }

    /// Whether another entry can be written, after an error: then it is not the audit that fails.
    private func takesOthers(_ error: PostgreSQLError) -> Bool {
        do throws(PostgreSQLError) {
            _ = try database(Readiness.proof)
            state.withLock { $0.trouble = nil }
            return true
        } catch {
            state.withLock { $0.trouble = error.withoutText }
            return false
        }
    }

    /// Finds the entries that the database will not have, so that they keep no other out.
    private func writeApart(_ batch: ArraySlice<AuditEntry>, _ error: PostgreSQLError) -> Bool {
        // Each half that holds one that hangs would take the whole deadline.
        if case .statementTimeout = error { return batch.indices.allSatisfy { writeUntilDone(batch[$0...$0]) } }
        let middle = batch.startIndex + batch.count / 2
        return writeUntilDone(batch[..<middle]) && writeUntilDone(batch[middle...])
    }

    /// Keeps an entry that the audit will not have in a table of its own, and has the next ones of whoever it is about written
    /// before they are answered. False where the database does not answer any more.
    private func isolate(_ entry: AuditEntry, _ error: PostgreSQLError) -> Bool {
        var metadata: Logger.Metadata = [
            "reason": "\(error.withoutText)", "request_id": "\(entry.requestID)",
            "server_request_id": "\(entry.serverRequestID)",
        ]
        do throws(PostgreSQLError) {
            _ = try database(AuditBatch.refusal(of: entry, error))
            settle([entry]) { state in
                state.isolated += 1
                state.suspects.add(entry, now: .now)
            }
            logger.error("an audit entry was refused and is kept in re.audit_refused_entry", metadata: metadata)
        } catch {
            guard takesOthers(error) else { return false }
            settle([entry]) { state in
                state.lost += 1
                state.suspects.add(entry, now: .now)
            }
            metadata["not_kept"] = "\(error.withoutText)"
            logger.error("an audit entry was refused and is lost", metadata: metadata)
        }
        return true
    }

    private var isStopping: Bool { state.withLock { $0.stopBy != nil } }

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
