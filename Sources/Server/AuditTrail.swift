import Logging
import PostgreSQL
import Threads

/// Writes the audit's entries into the database, many at once, on a thread of its own.
///
/// An entry is accepted before its response is sent and is durable some 100 ms later. docs/audit.md describes what a
/// `kill -9` can lose, and how entries are handled that the database does not accept.
final class AuditTrail: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// Its work since the start, and the entries that wait.
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
        /// The deadline of the stop; nil until then.
        var stopBy: ContinuousClock.Instant?
    }

    /// How long the first entry of a batch waits for company: the most that a healthy system can lose.
    private static let linger = Duration.milliseconds(100)
    private static let pauseAfterFailure = Duration.milliseconds(200)
    /// How often one entry fails alone before it is isolated, where its error might pass.
    private static let mostAttemptsAlone = 3

    private let database: Database
    private let logger: Logger
    private let state = Monitor(State())
    private let loop = ThreadLoop()

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

    /// Why no entry can be written at present, without quoted values; nil if the last attempt succeeded.
    var trouble: PostgreSQLError? { state.withLock { $0.trouble } }

    /// Accepts an entry; if that fails, its response must not be sent.
    func record(_ entry: AuditEntry) -> Bool {
        let now = ContinuousClock.now
        let (isSuspect, isAdmitted, wakes) = state.withLock { state in
            if state.suspects.contains(entry, now: now) { return (true, false, false) }
            let wasEmpty = state.backlog.isEmpty
            let isAdmitted = state.backlog.add(entry, now: now)
            return (false, isAdmitted, isAdmitted && (wasEmpty || state.backlog.bytes >= AuditBatch.mostBytes))
        }
        if isSuspect { return writeFirst(entry) }
        if wakes { loop.wake() }
        return isAdmitted
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the audit", first: .whenWoken) { [self] in
            let (isEmpty, isFull) = state.withLock { ($0.backlog.isEmpty, $0.backlog.bytes >= AuditBatch.mostBytes) }
            guard !isEmpty else { return .whenWoken }
            if !isFull { loop.pause(Self.linger) }
            write(state.withLock { $0.backlog.takeAll() })
            return .whenWoken
        }
    }

    /// Writes all entries, and returns how many could not be written by `deadline`.
    func stop(by deadline: ContinuousClock.Instant) -> Int {
        state.withLock { $0.stopBy = deadline }
        loop.stop()
        loop.waitUntilEnded(deadline)
        return state.withLock { $0.backlog.count }
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

    /// Writes an entry of a person one of whose entries was refused, before its response is sent.
    private func writeFirst(_ entry: AuditEntry) -> Bool {
        let isWritten = tryToWrite([entry]) == nil
        state.withLock { state in
            if isWritten { state.written += 1 } else { state.backlog.refuse() }
        }
        return isWritten
    }

    /// Retries until it is written or isolated; false if the stop's deadline passes first.
    private func writeUntilDone(_ batch: ArraySlice<AuditEntry>) -> Bool {
        var (isFirstFailure, attemptsAlone) = (true, 0)
        while let error = tryToWrite(batch) {
            if takesOthers(error) {
                // So the error concerns these entries, or has passed.
                guard let entry = batch.first, batch.count == 1 else { return writeApart(batch, error) }
                attemptsAlone += 1
                let isSure = error.isAboutTheData || loop.isStopped || attemptsAlone >= Self.mostAttemptsAlone
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

    /// Stores a refused entry in a table of its own, and has that person's next entries written before their responses
    /// are sent. False if the database does not answer.
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

    private func settle(_ batch: ArraySlice<AuditEntry>, _ count: (inout State) -> Void) {
        let bytes = batch.reduce(0) { $0 + $1.size }
        state.withLock { state in
            state.backlog.settle(bytes: bytes, count: batch.count)
            count(&state)
        }
    }

    /// False where there is no time for another attempt.
    private func pauseAfterFailure() -> Bool {
        // Also while the thread stops, so that the last attempts have pauses between them.
        Thread.sleep(Self.pauseAfterFailure)
        return state.withLock { $0.stopBy.map { $0 > .now } ?? true }
    }
}
