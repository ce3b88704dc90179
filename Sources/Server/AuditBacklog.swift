/// The entries of responses that are not in the database yet, without a clock, a lock or a thread.
///
/// It is bounded in bytes and in age, and refuses rather than forgets: an answer that is not to be recorded is not to
/// be given.
struct AuditBacklog {
    /// The most bytes that wait or are being written: 65,536 answers without a filter or a patient.
    static let mostBytes = 32 << 20
    /// The longest that an entry may have waited when another is admitted.
    static let longestDelay = Duration.seconds(10)

    private var waiting: [AuditEntry] = []
    private var waitingSince: ContinuousClock.Instant?
    private var writingSince: ContinuousClock.Instant?
    private(set) var bytes = 0
    /// Entries that wait or are being written.
    private(set) var count = 0
    /// Entries that were not admitted.
    private(set) var refused = 0

    /// Whether anything waits to be taken.
    var isEmpty: Bool { waiting.isEmpty }

    /// Accepts an entry; false if its response must not be sent.
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

    /// Counts an entry that was not taken in.
    mutating func refuse() { refused += 1 }

    /// Removes and returns all waiting entries, which count until they are written.
    mutating func takeAll() -> [AuditEntry] {
        let taken = waiting
        waiting = []
        writingSince = waitingSince
        waitingSince = nil
        return taken
    }

    /// No longer counts so many bytes and entries of those taken.
    mutating func settle(bytes: Int, count: Int) {
        self.bytes -= bytes
        self.count -= count
    }

    /// All that was taken has been settled.
    mutating func finishWriting() { writingSince = nil }
}
