/// The audit entries that are not in the database yet. It has no clock, lock or thread.
///
/// Its bytes and its age are limited. Beyond the limits it refuses entries and never drops one, because a response that
/// cannot be recorded must not be sent.
struct AuditBacklog {
    /// The maximum size of all entries: 65,536 responses without a filter or a patient.
    static let mostBytes = 32 << 20
    /// The maximum age of the oldest entry when another one is added.
    static let longestDelay = Duration.seconds(10)

    private var waiting: [AuditEntry] = []
    private var waitingSince: ContinuousClock.Instant?
    private var writingSince: ContinuousClock.Instant?
    private(set) var bytes = 0
    /// The number of entries that wait or are being written.
    private(set) var count = 0
    /// The number of entries that were refused.
    private(set) var refused = 0

    /// True if no entry waits. Entries that are being written do not count.
    var isEmpty: Bool { waiting.isEmpty }

    /// Accepts an entry. False if its response must not be sent.
    mutating func add(_ entry: AuditEntry, now: ContinuousClock.Instant) -> Bool {
        let oldest = writingSince ?? waitingSince ?? now
        guard entry.isWritable, bytes + entry.size <= Self.mostBytes, oldest.duration(to: now) <= Self.longestDelay
        else {
            refuse()
            return false
        }
        if waiting.isEmpty { waitingSince = now }
        waiting.append(entry)
        bytes += entry.size
        count += 1
        return true
    }

    /// Counts an entry that was refused.
    mutating func refuse() { refused += 1 }

    /// Removes and returns all waiting entries. They still count until ``release(bytes:count:)``.
    mutating func takeAll() -> [AuditEntry] {
        let taken = waiting
        waiting = []
        writingSince = waitingSince
        waitingSince = nil
        return taken
    }

    /// Subtracts entries that have been written or isolated from the counts.
    mutating func release(bytes: Int, count: Int) {
        self.bytes -= bytes
        self.count -= count
    }

    /// Ends the writing, once all taken entries have been released.
    mutating func finishWriting() { writingSince = nil }
}
