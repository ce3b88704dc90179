import API
import JWT
import Threads

/// A request with a 401 response. Its client is unknown.
struct RefusedAttempt: Sendable {
    /// The values by which attempts are grouped.
    struct Kind: Hashable, Sendable {
        let problem: String
        /// The error of the token, in the verifier's words.
        var reason: String?
        var address: String?
        var organization: String?
        var patient: String?

        /// The values as bytes, because `==` of strings treats composed and decomposed letters as equal.
        private var texts: [[UInt8]?] {
            [problem, reason, address, organization, patient].map { $0.map { Array($0.utf8) } }
        }

        static func == (a: Kind, b: Kind) -> Bool { a.texts == b.texts }
        func hash(into hasher: inout Hasher) { hasher.combine(texts) }
    }

    var kind: Kind
    let requestID: String
    let serverRequestID: String
    let method: String
    let route: String
}

/// Records 401 responses in the audit. They are counted by the minute, so that a client without a token cannot fill a
/// disk.
///
/// The first attempt of a kind is recorded within a second, and the others of its minute at that minute's end. The
/// number of kinds per minute is limited, with a lower limit per address. Beyond the limits, attempts are counted with
/// fewer details. So no single address can hide the attempts of another.
final class RefusedAttempts: Sendable {
    /// Accepts an entry. False if there is no room for it at present.
    typealias Audit = @Sendable (AuditEntry) -> Bool

    private let audit: Audit
    private let tally = Monitor(RefusalTally())
    private let loop = ThreadLoop()

    /// How long attempts are counted before a new kind is recorded.
    private static let linger = Duration.seconds(1)

    init(audit: @escaping Audit) { self.audit = audit }

    /// Counts an attempt.
    func note(_ attempt: RefusedAttempt) {
        let wakes = tally.withLock { tally in
            defer { tally.note(attempt, at: wallClock(), now: .now) }
            return tally.isEmpty
        }
        if wakes { loop.wake() }
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the refused attempts", first: .whenWoken) { [self] in
            guard loop.pause(Self.linger) else { return .never }
            record(atEnd: false)
            return tally.withLock { $0.isEmpty } ? .whenWoken : .after(.zero)
        }
    }

    /// Records all counted attempts, and ends the thread.
    func stop() {
        loop.stop()
        record(atEnd: true)
    }

    private func record(atEnd: Bool) {
        for (attempt, count) in tally.withLock({ $0.due(now: .now, atEnd: atEnd) }) {
            guard !audit(AuditEntry(attempt, count)) else { continue }
            tally.withLock { $0.putBack(attempt, count) }
        }
    }
}

/// The attempts of one minute by their kind. It has no lock and no thread.
struct RefusalTally {
    struct Count {
        var attempts = 0
        var first: Double
        var last: Double
    }

    /// The maximum number of kinds in a minute, and of kinds of one address.
    static let mostKinds = 100
    static let mostOfAddress = 50
    private static let minute = Duration.seconds(60)

    private var counts: [RefusedAttempt.Kind: (attempt: RefusedAttempt, count: Count)] = [:]
    /// The kinds of this minute. ``ofAddress`` has their number for each address.
    private var kinds: Set<RefusedAttempt.Kind> = []
    private var recorded: Set<RefusedAttempt.Kind> = []
    private var ofAddress: [String: Int] = [:]
    private var began: ContinuousClock.Instant?

    /// True if no attempt waits to be recorded.
    var isEmpty: Bool { counts.isEmpty }

    mutating func note(_ attempt: RefusedAttempt, at time: Double, now: ContinuousClock.Instant) {
        if began == nil { began = now }
        var attempt = attempt
        attempt.kind = admitted(attempt.kind)
        add(attempt, Count(attempts: 1, first: time, last: time))
    }

    /// The kind, reduced to fewer values if a limit is reached.
    private mutating func admitted(_ kind: RefusedAttempt.Kind) -> RefusedAttempt.Kind {
        if kinds.contains(kind) { return kind }
        let address = kind.address ?? ""
        if kinds.count < Self.mostKinds, ofAddress[address, default: 0] < Self.mostOfAddress {
            ofAddress[address, default: 0] += 1
            kinds.insert(kind)
            return kind
        }
        var less = kind
        (less.reason, less.organization, less.patient) = (nil, nil, nil)
        if !kinds.contains(less), kinds.count >= Self.mostKinds { less.address = nil }
        // Reduced kinds exceed the limit at most by the number of token problems.
        kinds.insert(less)
        return less
    }

    /// Removes and returns the attempts to record now: kinds that are new in their minute, and all at its end.
    mutating func due(now: ContinuousClock.Instant, atEnd: Bool) -> [(RefusedAttempt, Count)] {
        let isOver = atEnd || (began.map { $0.duration(to: now) >= Self.minute } ?? false)
        let due = counts.filter { isOver || !recorded.contains($0.key) }
        for kind in due.keys { counts[kind] = nil }
        recorded.formUnion(due.keys)
        if isOver { (kinds, recorded, ofAddress, began) = ([], [], [:], nil) }
        return due.values.map { ($0.attempt, $0.count) }
    }

    /// Adds attempts again that could not be recorded.
    mutating func putBack(_ attempt: RefusedAttempt, _ count: Count) {
        kinds.insert(attempt.kind)
        add(attempt, count)
    }

    private mutating func add(_ attempt: RefusedAttempt, _ count: Count) {
        guard let known = counts[attempt.kind] else {
            counts[attempt.kind] = (attempt, count)
            return
        }
        let sum = Count(
            attempts: known.count.attempts + count.attempts, first: min(known.count.first, count.first),
            last: max(known.count.last, count.last))
        counts[attempt.kind] = (known.attempt, sum)
    }
}

extension RefusedAttempt {
    /// The attempt behind a 401 response. Nil for other responses.
    init?(_ response: Response, _ incoming: Incoming, _ record: RequestRecord) {
        guard response.status == 401, let route = record.route, let problem = record.problem else { return nil }
        kind = Kind(
            problem: problem.kind.rawValue, reason: problem.detail, address: incoming.address.map(AddressClass.of),
            organization: record.organizationSought.map(AuditText.digested),
            patient: record.patientSought.map(AuditText.digested))
        requestID = incoming.requestID
        serverRequestID = incoming.serverRequestID
        method = incoming.request.method
        self.route = route
    }
}

extension AuditEntry {
    /// The entry for attempts of one kind, with the ids of the first.
    convenience init(_ attempt: RefusedAttempt, _ count: RefusalTally.Count) {
        let kind = attempt.kind
        var filter: [(name: StaticString, value: String)] = [
            ("attempts", String(count.attempts)), ("first", timestamp(count.first)), ("last", timestamp(count.last)),
        ]
        if let reason = kind.reason { filter.append(("reason", reason)) }
        if let organization = kind.organization { filter.append(("org_id", organization)) }
        self.init(
            time: count.last, status: 401, claims: .unknown, address: kind.address, requestID: attempt.requestID,
            serverRequestID: attempt.serverRequestID, method: attempt.method, route: attempt.route, filter: filter,
            patientSought: kind.patient, problem: kind.problem)
    }
}

extension Claims {
    /// The claims of a client without a valid token.
    static let unknown = Claims(subject: "", expiresAt: 0)
}
