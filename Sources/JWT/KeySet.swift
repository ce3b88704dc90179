public import Logging
public import Threads

/// The keys that verify tokens. If they may change, a thread reads them periodically.
public final class KeySet: Sendable {
    private let store: KeyStore
    private let refresher: KeyRefresher?
    private let report: @Sendable (KeyEvent) -> Void

    /// Reads the keys of `source`, unless they have to be fetched.
    ///
    /// - Throws: a ``KeySourceError`` for a configuration that can never work.
    /// - Parameter maxAge: how long keys stay valid while they cannot be read again (docs/running.md, `KEYS_MAX_AGE`).
    public convenience init(
        source: KeySource, maxAge: Duration = KeySet.usualMaxAge, logger: Logger
    ) throws(KeySourceError) {
        let pace: FetchSchedule.Pace = if case .jwksFile = source { .file } else { .url }
        try self.init(source: source, pace: pace, client: HTTPSClient(), maxAge: maxAge) {
            $0.log(to: logger, source: source)
        }
    }

    /// Reads the keys as ``init(source:maxAge:logger:)`` does, with a given pace, client and event handler.
    init(
        source: KeySource, pace: FetchSchedule.Pace, client: HTTPSClient, maxAge: Duration = KeySet.usualMaxAge,
        report: @escaping @Sendable (KeyEvent) -> Void
    ) throws(KeySourceError) {
        let initial = try source.initialKeys()
        let isFixed = if case .pem = source { true } else { false }
        let store = KeyStore(keys: initial?.keys, longest: isFixed ? nil : maxAge)
        if let initial { report(.changed(keys: initial.keys.count, skipped: initial.skipped)) }
        self.store = store
        self.report = report
        guard let load = Self.load(source, client: client) else {
            refresher = nil
            return
        }
        refresher = KeyRefresher(store: store, pace: pace.within(maxAge), load: load, report: report)
    }

    /// Starts the thread that fetches keys that may change.
    public func start() throws(Thread.StartError) { try refresher?.start() }

    /// Checks `source` as ``init(source:maxAge:logger:)`` does.
    public static func check(_ source: KeySource) throws(KeySourceError) { _ = try source.initialKeys() }

    /// How long keys stay valid by default while they cannot be read again.
    public static let usualMaxAge = Duration.seconds(86_400)

    /// The state at one moment.
    public struct Statistics: Sendable {
        /// The number of keys in force. 0 if they are too old.
        public var keys = 0
        /// Seconds since the last reading, or since the start. 0 if the keys are never read again.
        public var age = 0.0
        /// The number of failed readings since the start.
        public var failures = 0
    }

    /// The state now.
    public var statistics: Statistics {
        Statistics(
            keys: store.isTooOld ? 0 : store.current.keys?.count ?? 0, age: store.age / .seconds(1),
            failures: refresher?.failures ?? 0)
    }

    /// True if the keys in force are too old to verify tokens.
    var isTooOld: Bool { store.isTooOld }

    /// Rises with each change of the keys. A token verified with earlier keys has to be verified again.
    public var generation: UInt64 { store.generation }

    /// True if any keys have been read or fetched.
    public var isAvailable: Bool { store.current.keys != nil }

    /// Has the keys read at once, regardless of the schedule, and the result logged (docs/running.md, "Signals").
    public func readAgain() {
        guard let refresher else { return report(.fixed) }
        refresher.readAgain()
    }

    /// Ends the thread. The keys stay in force.
    public func stop() { refresher?.stop() }

    deinit { stop() }

    /// The keys with the token's `kid`, usually one, and their generation.
    ///
    /// An unknown key is fetched if the schedule allows it. The call waits for that fetch if `mayWait`.
    func keys(named keyID: [UInt8]?, mayWait: Bool) throws(TokenError) -> ([PublicKey], generation: UInt64) {
        if let found = try knownKeys(named: keyID) { return found }
        if !mayWait, let refresher, refresher.wouldWaitForUnknownKey { throw .keyNotYetFetched }
        // A second attempt is needed if the first fetch began before the key was published.
        for _ in 0..<2 {
            guard let refresher, refresher.awaitFetchForUnknownKey() else { break }
            if let found = try knownKeys(named: keyID) { return found }
        }
        throw .invalid(.keyUnknown)
    }

    private func knownKeys(named keyID: [UInt8]?) throws(TokenError) -> ([PublicKey], generation: UInt64)? {
        let current = store.current
        if case .one(let key) = current.keys { return ([key], current.generation) }
        guard let keyID else { throw .invalid(.keyIDMissing) }
        guard case .named(let keys) = current.keys, !store.isTooOld else { throw .keysUnavailable }
        return keys[keyID].map { ($0, current.generation) }
    }

    private static func load(_ source: KeySource, client: HTTPSClient) -> KeyRefresher.Load? {
        switch source {
        case .pem:
            return nil
        case .jwksFile(let path):
            return { (_) throws(KeyError) in try JWKS.load(file: path) }
        case .jwksURL(let url, let caFile):
            var client = client
            client.caFile = caFile
            return { [client] (isStopped) throws(KeyError) in
                try JWKS.load(url: url, with: client, isStopped: isStopped)
            }
        }
    }
}

extension KeySource {
    /// The environment variable that names this source.
    var variable: String {
        switch self {
        case .pem: "CLERK_JWT_KEY"
        case .jwksFile: "CLERK_JWKS_FILE"
        case .jwksURL: "CLERK_JWKS_URL"
        }
    }
}

extension KeyEvent {
    /// Logs one line for each change, and none while a state lasts.
    fileprivate func log(to logger: Logger, source: KeySource) {
        switch self {
        case .changed(let keys, let skipped):
            logger.log(
                level: keys > 0 ? .info : .warning,
                keys > 0 ? "signing keys in force" : "the set of signing keys is empty: every token is refused",
                metadata: ["source": "\(source.variable)", "keys": "\(keys)"])
            if !skipped.isEmpty {
                logger.info(
                    "keys of the JWKS were skipped", metadata: ["reasons": "\(skipped.joined(separator: "; "))"])
            }
        case .failed(let reason):
            logger.warning(
                "no signing keys to be had from \(source.variable); earlier ones stay in force",
                metadata: ["reason": "\(reason)"])
        case .tooOld:
            logger.error(
                "signing keys could not be read for longer than KEYS_MAX_AGE: they have expired",
                metadata: ["source": "\(source.variable)"])
        case .recovered:
            logger.info("signing keys can be read again", metadata: ["source": "\(source.variable)"])
        case .readAgain(let keys, let areNew):
            logger.notice(
                "signing keys were read again, as SIGHUP asks",
                metadata: ["source": "\(source.variable)", "keys": "\(keys)", "changed": "\(areNew)"])
        case .fixed:
            logger.notice(
                "nothing to read again, as SIGHUP asks: the key is the variable's own value",
                metadata: ["source": "\(source.variable)"])
        }
    }
}
