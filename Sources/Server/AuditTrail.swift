import Logging
import PostgreSQL
import Threads

/// Writes the audit's entries into the database in batches, on its own thread.
///
/// An entry is accepted before its response is sent and is durable about 100 ms later. docs/audit.md describes the
/// entries that a `kill -9` can lose, and the treatment of entries that the database refuses.
final class AuditTrail: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// The counts since the start, and the number of waiting entries.
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
        /// The error of the last attempt to write. Nil after a success.
        var trouble: PostgreSQLError?
        /// The deadline of the stop. Nil until then.
        var stopBy: ContinuousClock.Instant?
    }

    /// How long a batch collects entries. A crash loses at most these if the database is healthy.
    private static let linger = Duration.milliseconds(100)
    private static let pauseAfterFailure = Duration.milliseconds(200)
    /// The number of failures alone after which an entry is isolated, if its error might be temporary.
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

    /// The reason why no entry can be written at present, without quoted values. Nil after a success.
    var trouble: PostgreSQLError? { state.withLock { $0.trouble } }

    /// Accepts an entry. False if its response must not be sent.
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

    /// Writes all entries, and returns the number that could not be written by `deadline`.
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

    /// Writes the entry of a suspect user before its response is sent. False if that fails.
    private func writeFirst(_ entry: AuditEntry) -> Bool {
        let isWritten = tryToWrite([entry]) == nil
        state.withLock { state in
            if isWritten { state.written += 1 } else { state.backlog.refuse() }
        }
        return isWritten
    }

    /// Retries until the entries are written or isolated. False if the stop's deadline passes first.
    private func writeUntilDone(_ batch: ArraySlice<AuditEntry>) -> Bool {
        var (isFirstFailure, attemptsAlone) = (true, 0)
        while let error = tryToWrite(batch) {
            if acceptsOtherEntries(error) {
                // The audit works for another entry. The error is about these entries, or it was temporary.
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
        release(batch) { $0.written += batch.count }
        return true
    }

    /// Returns the reason why the entries could not be written. Nil if they were.
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

    /// True if the audit accepts another entry after an error. Then the error is not about the audit itself.
    private func acceptsOtherEntries(_ error: PostgreSQLError) -> Bool {
        do throws(PostgreSQLError) {
            _ = try database(Readiness.proof)
            state.withLock { $0.trouble = nil }
            return true
        } catch {
            state.withLock { $0.trouble = error.withoutText }
            return false
        }
    }

    /// Writes the entries in smaller batches, so that one that the database refuses does not block the others.
    private func writeApart(_ batch: ArraySlice<AuditEntry>, _ error: PostgreSQLError) -> Bool {
        // A statement with an entry that hangs takes the whole timeout. Halving would run several of them.
        if case .statementTimeout = error { return batch.indices.allSatisfy { writeUntilDone(batch[$0...$0]) } }
        let middle = batch.startIndex + batch.count / 2
        return writeUntilDone(batch[..<middle]) && writeUntilDone(batch[middle...])
    }

    /// Stores a refused entry in a separate table, and makes its user a suspect. False if the database does not answer.
    private func isolate(_ entry: AuditEntry, _ error: PostgreSQLError) -> Bool {
        var metadata: Logger.Metadata = [
            "reason": "\(error.withoutText)", "request_id": "\(entry.requestID)",
            "server_request_id": "\(entry.serverRequestID)",
        ]
        do throws(PostgreSQLError) {
            _ = try database(AuditBatch.refusal(of: entry, error))
            release([entry]) { state in
                state.isolated += 1
                state.suspects.add(entry, now: .now)
            }
            logger.error(
                "an audit entry was refused and is now in re.audit_refused_entry", metadata: metadata)
        } catch {
            guard acceptsOtherEntries(error) else { return false }
            release([entry]) { state in
                state.lost += 1
                state.suspects.add(entry, now: .now)
            }
            metadata["not_kept"] = "\(error.withoutText)"
            logger.error("an audit entry was refused and is lost", metadata: metadata)
        }
        return true
    }

    private func release(_ batch: ArraySlice<AuditEntry>, _ count: (inout State) -> Void) {
        let bytes = batch.reduce(0) { $0 + $1.size }
        state.withLock { state in
            state.backlog.release(bytes: bytes, count: batch.count)
            count(&state)
        }
    }

    /// False if there is no time for another attempt.
    private func pauseAfterFailure() -> Bool {
        // The pause also applies after the stop has begun, so that the last attempts are not made all at once.
        Thread.sleep(Self.pauseAfterFailure)
        return state.withLock { $0.stopBy.map { $0 > .now } ?? true }
    }
}
