public import API
public import FastCGI
public import JWT
public import Logging
public import PostgreSQL

/// The server's settings, read from the environment once at the start.
public struct Configuration: Sendable {
    public let connection: ConnectionParameters
    /// The requirement on the login in ``connection``.
    public let databaseLogin: DatabaseLogin
    public let poolSize: Int
    public let acquireTimeout: Duration
    public let listen: Listen
    /// The socket of the live streams.
    public let liveListen: Listen
    public let workers: Int
    public let keys: KeySource
    /// How long signing keys stay valid if they cannot be read again.
    public let keysMaxAge: Duration
    public let policy: Policy
    /// The `iss` that tokens must have.
    public let issuer: String
    /// The maximum time until a token's `exp`, in seconds. 0 is no limit.
    public let tokenMaxLifetime: Int
    /// The file that lists denied subjects and sessions. Nil for none.
    public let denyFile: String?
    /// The maximum requests per second of one token subject. 0 is no limit.
    public let rateLimit: Int
    /// Minutes without input after which the dashboard page signs the user out (docs/running.md).
    public let idleLogoffMinutes: Int
    /// The maximum size of the response cache in bytes. 0 disables it.
    public let answerCacheBytes: Int
    public let allowedOrigins: [String]
    /// The roles of administrators, without `org:`.
    public let adminRoles: [String]
    /// The keys for secrets, and whether webhooks may have any address.
    public let webhooks: WebhookSettings
    /// The public origin of the service. Nil if it is not set.
    public let publicURL: String?
    /// Nil if no contact is set.
    public let securityText: SecurityText?
    /// Whether responses are recorded in the audit. It is turned off only for measurements.
    public let isAudited: Bool
    /// The megabytes of one organization's entries per day beyond which clients' texts are shortened.
    public let auditDailyMegabytes: Int
    public let logLevel: Logger.Level
    public let logFormat: LogFormat
    /// The duration from which a request is logged as slow. Nil disables this log.
    public let slowRequest: Duration?

    /// A variable that turns something on or off.
    enum Switch: String, CaseIterable {
        case on
        case off
    }

    /// A variable that allows something.
    enum Permission: String, CaseIterable {
        case no = "0"
        case yes = "1"
    }

    /// The socket that the server accepts connections from.
    public enum Listen: Sendable, Equatable {
        case address(ListenAddress)
        /// A listening socket that this process was started with.
        case inherited(descriptor: CInt)

        /// The socket in the notation of the operator's setting.
        var name: String {
            switch self {
            case .address(.unix(let path)): path
            case .address(.tcp(let host, let port)): "\(host):\(port)"
            case .inherited: "inherited"
            }
        }
    }

    /// The maximum size of the response cache in bytes. It is also the default.
    private static let largestAnswerCache = 16 * 1024 * 1024

    /// Reads the variables of docs/running.md, "Environment".
    ///
    /// - Parameters:
    ///   - cores: the number of processors, which defaults depend on.
    ///   - processID: the process that an inherited socket must be meant for (`sd_listen_fds(3)`).
    /// - Throws: ``ConfigurationErrors``. They contain no values, because some are secrets.
    public init(environment: [String: String], cores: Int, processID: Int32) throws(ConfigurationErrors) {
        var reader = EnvironmentReader(environment)
        workers = reader.number("WORKER_THREADS", in: 1...512, default: max(4, 2 * cores))
        poolSize = reader.number("DB_POOL_SIZE", in: 1...1000, default: workers + 1)
        acquireTimeout = .milliseconds(reader.number("DB_ACQUIRE_TIMEOUT_MS", in: 1...600_000, default: 2000))
        let statementTimeout = reader.number("DB_STATEMENT_TIMEOUT_MS", in: 1...600_000, default: 5000)
        let connection = reader.connection(statementTimeout: .milliseconds(statementTimeout))
        databaseLogin = reader.choice("DATABASE_LOGIN", DatabaseLogin.allCases, default: .bound)
        let sockets = reader.listen(processID: processID)
        let keys = reader.keySource()
        keysMaxAge = .seconds(
            reader.number("KEYS_MAX_AGE", in: 1...31_536_000, default: Int(KeySet.usualMaxAge.components.seconds)))
        let issuer = reader.issuer()
        let parties = reader.origins("CLERK_AUTHORIZED_PARTIES")
        let audiences = reader.list("CLERK_AUDIENCE") ?? []
        let lifetime = reader.number("TOKEN_MAX_LIFETIME", in: 0...315_360_000, default: Int(Policy.usualLifetime))
        denyFile = reader.denyFile()
        rateLimit = reader.number("RATE_LIMIT", in: 0...1_000_000, default: 50)
        idleLogoffMinutes = reader.number("IDLE_LOGOFF_MIN", in: 1...1440, default: 15)
        answerCacheBytes = reader.number(
            "ANSWER_CACHE_BYTES", in: 0...Self.largestAnswerCache, default: Self.largestAnswerCache)
        allowedOrigins = reader.origins("CORS_ALLOWED_ORIGINS") ?? []
        auditDailyMegabytes = reader.number("AUDIT_DAILY_MB", in: 1...1_000_000, default: 500)
        adminRoles = reader.adminRoles()
        webhooks = WebhookSettings(
            keys: reader.secretKeys(),
            allowsPrivate: reader.choice("WEBHOOK_ALLOW_PRIVATE", Permission.allCases, default: .no) == .yes)
        publicURL = reader.publicURL()
        // RFC 9116, section 2.5.2, requires https.
        let site = publicURL.flatMap { $0.hasPrefix("https:") ? $0 : nil }
        securityText = reader.securityContact().map { SecurityText(contact: $0, site: site) }
        isAudited = reader.choice("AUDIT", Switch.allCases, default: .on) == .on
        logLevel = reader.choice("LOG_LEVEL", Logger.Level.allCases, default: .info)
        logFormat = reader.choice("LOG_FORMAT", LogFormat.allCases, default: .json)
        let slow = reader.number("LOG_SLOW_MS", in: 0...600_000, default: 500)
        slowRequest = slow > 0 ? .milliseconds(slow) : nil
        guard reader.errors.isEmpty, let connection, let sockets, let keys, let issuer else {
            throw ConfigurationErrors(list: reader.errors)
        }
        self.connection = connection
        (listen, liveListen) = sockets
        self.keys = keys
        self.issuer = issuer
        tokenMaxLifetime = lifetime
        policy = Policy(
            issuer: issuer, authorizedParties: parties, audiences: audiences,
            longestLifetime: lifetime > 0 ? Double(lifetime) : nil)
    }
}
