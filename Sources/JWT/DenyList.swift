public import Logging
import Synchronization
internal import Threads

/// The subjects and sessions that are refused whatever their tokens say, kept fresh from `TOKEN_DENY_FILE` by a thread.
///
/// A file that cannot be read any more leaves the last list in force, so that nobody who is on it comes in. What is no
/// longer on it is let in once two readings agree: somebody may just be writing the file.
public final class DenyList: Sendable {
    /// What there is at one moment.
    public struct Statistics: Sendable, Equatable {
        public var entries: Int
        /// Readings that have failed since the start.
        public var failures: Int
        /// Seconds since the last reading that succeeded.
        public var age: Double

        /// What there is where nobody is denied.
        public init(entries: Int = 0, failures: Int = 0, age: Double = 0) {
            (self.entries, self.failures, self.age) = (entries, failures, age)
        }
    }

    private struct State {
        var refused: Set<[UInt8]>
        var lastRead: DeniedNames
        var readAt = ContinuousClock.now
        var failures = 0
        var lastFailure: String?
        var isAsked = false
        var isStopping = false
        var thread: Thread?
    }

    private static let variable = "TOKEN_DENY_FILE"
    private static let interval = Duration.seconds(1)

    private let path: String
    private let logger: Logger
    private let interval: Duration
    private let state: Monitor<State>
    // Beside the lock, since every request looks.
    private let isEmpty: Atomic<Bool>

    /// Reads the file at `path`, and goes on reading it.
    ///
    /// - Throws: where it cannot be read, so that no server starts that lets in whom it was told not to.
    public convenience init(path: String, logger: Logger) throws(KeySourceError) {
        try self.init(path: path, logger: logger, interval: Self.interval)
    }

    init(path: String, logger: Logger, interval: Duration) throws(KeySourceError) {
        let names = try Self.read(path)
        (self.path, self.logger, self.interval) = (path, logger, interval)
        state = Monitor(State(refused: names.all, lastRead: names))
        isEmpty = Atomic(names.all.isEmpty)
        names.log(to: logger)
        do {
            let thread = try Thread.start { [self] in run() }
            state.withLock { $0.thread = thread }
        } catch {
            throw KeySourceError(
                variable: Self.variable, problem: "needs a thread, which the system refuses (\(error.code))")
        }
    }

    /// Checks the file as ``init(path:logger:)`` does, and starts nothing.
    public static func check(path: String) throws(KeySourceError) { _ = try read(path) }

    /// Whether the subject or the session is on the list.
    func refuses(_ claims: Claims) -> Bool {
        guard !isEmpty.load(ordering: .acquiring) else { return false }
        let (subject, session) = (Array(claims.subject.utf8), claims.sessionID.map { Array($0.utf8) })
        return state.withLock { state in
            state.refused.contains(subject) || session.map { state.refused.contains($0) } ?? false
        }
    }

    /// What there is now.
    public var statistics: Statistics {
        state.withLock {
            Statistics(
                entries: $0.refused.count, failures: $0.failures, age: $0.readAt.duration(to: .now) / .seconds(1))
        }
    }

    /// Has the file read at once, and what comes of it logged (running.md, "Signals").
    public func readAgain() {
        state.withLock { $0.isAsked = true }
        state.notifyAll()
    }

    /// Ends the thread; the list stays.
    public func shutdown() {
        let thread = state.withLock { state in
            defer { state.thread = nil }
            state.isStopping = true
            return state.thread
        }
        state.notifyAll()
        thread?.join()
    }

    private func run() {
        while true {
            let isStopping = state.wait(until: .now + interval) { $0.isStopping ? true : $0.isAsked ? false : nil }
            if isStopping == true { return }
            let isAsked = state.withLock { state in
                defer { state.isAsked = false }
                return state.isAsked
            }
            look(isAsked: isAsked)
        }
    }

    private func look(isAsked: Bool) {
        do throws(KeySourceError) {
            let names = try Self.read(path)
            let (isNew, hadFailed) = put(names)
            if isNew || isAsked { names.log(to: logger) }
            if hadFailed { logger.notice("TOKEN_DENY_FILE can be read again") }
        } catch {
            let isNews = state.withLock { state in
                defer { state.lastFailure = error.problem }
                state.failures += 1
                return state.lastFailure != error.problem
            }
            guard isNews || isAsked else { return }
            logger.warning(
                "TOKEN_DENY_FILE cannot be read; the last list stays in force", metadata: ["reason": "\(error.problem)"]
            )
        }
    }

    /// Puts names in force, and takes those that are missing off it if the reading before had the same; says whether they are
    /// others than those, and whether that reading had failed.
    func put(_ names: DeniedNames) -> (isNew: Bool, hadFailed: Bool) {
        state.withLock { state in
            let (isNew, hadFailed) = (names != state.lastRead, state.lastFailure != nil)
            (state.readAt, state.lastFailure) = (.now, nil)
            guard isNew || state.refused.count != names.all.count else { return (isNew, hadFailed) }
            state.refused = isNew ? state.refused.union(names.all) : names.all
            state.lastRead = names
            isEmpty.store(state.refused.isEmpty, ordering: .releasing)
            return (isNew, hadFailed)
        }
    }

    private static func read(_ path: String) throws(KeySourceError) -> DeniedNames {
        do throws(KeyLoadError) {
            return try DeniedNames(try readFile(path, atMost: DeniedNames.maximumLength))
        } catch {
            throw KeySourceError(variable: variable, problem: error.message)
        }
    }
}

/// What a file of denied subjects and sessions says: one a line, whole, without the blanks around it.
///
/// Empty lines say nothing, nor does what follows a `#` at a line's beginning or behind a blank. Lines end with LF or CR LF.
struct DeniedNames: Equatable, Sendable {
    /// Some tens of thousands of names.
    static let maximumLength = 4 << 20

    let all: Set<[UInt8]>
    /// The numbers of lines that no token's subject or session is likely to be, such as two in one line.
    let odd: [Int]

    /// - Throws: for a text that is not UTF-8 or holds NUL, as UTF-16 does: none of its names would ever be met.
    init(_ bytes: [UInt8]) throws(KeyLoadError) {
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
            throw KeyLoadError(message: "names a file that is not text in UTF-8")
        }
        var (all, odd): (Set<[UInt8]>, [Int]) = ([], [])
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let name = Self.name(line)
            guard !name.isEmpty else { continue }
            all.insert(name)
            if name.contains(where: { Self.isBlank($0) || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") }) {
                odd.append(index + 1)
            }
        }
        (self.all, self.odd) = (all, odd)
    }

    private static func name(_ line: ArraySlice<UInt8>) -> [UInt8] {
        let comment = line.indices.first {
            line[$0] == UInt8(ascii: "#") && ($0 == line.startIndex || isBlank(line[$0 - 1]))
        }
        let text = line[..<(comment ?? line.endIndex)].drop(while: isBlank)
        return Array(text.prefix((text.lastIndex { !isBlank($0) } ?? text.startIndex - 1) - text.startIndex + 1))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    /// How many there are; who they are is nobody's business who reads logs.
    fileprivate func log(to logger: Logger) {
        logger.notice("denied subjects and sessions in force", metadata: ["entries": "\(all.count)"])
        guard !odd.isEmpty else { return }
        logger.warning(
            "TOKEN_DENY_FILE has lines with a blank, a comma or a quotation mark inside: one subject or session stands on a line",
            metadata: ["lines": "\(odd.prefix(20).map(String.init).joined(separator: ", "))"])
    }
}
