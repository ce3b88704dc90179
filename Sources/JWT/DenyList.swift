public import Logging
import Synchronization
internal import Text
public import Threads

/// The subjects and sessions whose tokens are refused, read periodically from `TOKEN_DENY_FILE` by a thread.
///
/// While the file cannot be read, the last list stays in force. A name that is missing from the file is accepted again
/// only after two equal readings, since an operator may be writing the file.
public final class DenyList: Sendable {
    /// The state at one moment.
    public struct Statistics: Sendable, Equatable {
        public var entries: Int
        /// The number of failed readings since the start.
        public var failures: Int
        /// Seconds since the last successful reading.
        public var age: Double

        /// The state without a list.
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
        /// True if the operator requested a reading that has not begun.
        var isAsked = false
    }

    private static let variable = "TOKEN_DENY_FILE"
    private static let interval = Duration.seconds(1)

    private let path: String
    private let logger: Logger
    private let interval: Duration
    private let state: Monitor<State>
    private let loop = ThreadLoop()
    // Atomic and outside the lock, since every request reads it.
    private let isEmpty: Atomic<Bool>

    /// Reads the file at `path`.
    ///
    /// - Throws: if the file cannot be read, so that no server starts without its list.
    public convenience init(path: String, logger: Logger) throws(KeySourceError) {
        try self.init(path: path, logger: logger, interval: Self.interval)
    }

    init(path: String, logger: Logger, interval: Duration) throws(KeySourceError) {
        let names = try Self.names(inFile: path)
        (self.path, self.logger, self.interval) = (path, logger, interval)
        state = Monitor(State(refused: names.all, lastRead: names))
        isEmpty = Atomic(names.all.isEmpty)
        names.log(to: logger)
    }

    /// Starts the thread that reads the file periodically.
    public func start() throws(Thread.StartError) {
        try loop.start(for: Self.variable, first: .after(interval)) { [self] in
            read()
            return .after(interval)
        }
    }

    /// Checks the file as ``init(path:logger:)`` does.
    public static func check(path: String) throws(KeySourceError) { _ = try names(inFile: path) }

    /// True if the subject or the session is on the list.
    func refuses(_ claims: Claims) -> Bool {
        guard !isEmpty.load(ordering: .acquiring) else { return false }
        let (subject, session) = (Array(claims.subject.utf8), claims.sessionID.map { Array($0.utf8) })
        return state.withLock { state in
            state.refused.contains(subject) || session.map { state.refused.contains($0) } ?? false
        }
    }

    /// The state now.
    public var statistics: Statistics {
        state.withLock {
            Statistics(
                entries: $0.refused.count, failures: $0.failures, age: $0.readAt.duration(to: .now) / .seconds(1))
        }
    }

    /// Has the thread read the file at once and log the result (docs/running.md, "Signals").
    public func readAgain() {
        state.withLock { $0.isAsked = true }
        loop.wake()
    }

    /// Ends the thread. The list stays in force.
    public func stop() {
        loop.stop()
        loop.join()
    }

    private func read() {
        let isAsked = state.withLock { state in
            defer { state.isAsked = false }
            return state.isAsked
        }
        do throws(KeySourceError) {
            let names = try Self.names(inFile: path)
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

    /// Puts names in force. Removes missing names only if the previous reading had the same names.
    ///
    /// - Returns: whether the names differ from those of the previous reading, and whether that reading had failed.
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

    private static func names(inFile path: String) throws(KeySourceError) -> DeniedNames {
        try KeySourceError.of(variable) { () throws(KeyError) in
            try DeniedNames(try readFile(path, atMost: DeniedNames.maximumLength))
        }
    }
}

/// The names in a file of denied subjects and sessions, one per line without surrounding blanks.
///
/// Empty lines and comments are skipped. A comment begins with a `#` at the beginning of a line or after a blank. Lines
/// end with LF or CR LF.
struct DeniedNames: Equatable, Sendable {
    /// The largest file, in bytes. It has room for some tens of thousands of names.
    static let maximumLength = 4 << 20

    let all: Set<[UInt8]>
    /// The numbers of lines that probably do not contain one subject or session, such as two names in one line.
    let odd: [Int]

    /// - Throws: for a text that is not UTF-8 or contains NUL, as UTF-16 does. None of its names would match a token's.
    init(_ bytes: [UInt8]) throws(KeyError) {
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard !bytes.contains(0), String(utf8: bytes) != nil else {
            throw KeyError("names a file that is not text in UTF-8")
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

    /// Logs the number of names but no name, since names do not belong in a log.
    fileprivate func log(to logger: Logger) {
        logger.notice("denied subjects and sessions in force", metadata: ["entries": "\(all.count)"])
        guard !odd.isEmpty else { return }
        logger.warning(
            "TOKEN_DENY_FILE has lines with a blank, a comma or a quotation mark inside: each line must contain one subject or session",
            metadata: ["lines": "\(odd.prefix(20).map(String.init).joined(separator: ", "))"])
    }
}
