public import Delivery
public import Logging
public import PostgreSQL
import Webhook

/// The sender's settings, read from the environment once at the start. It reads only the variables that it uses.
public struct SenderConfiguration: Sendable {
    public let connection: ConnectionParameters
    /// The requirement on the login in ``connection``.
    public let databaseLogin: DatabaseLogin
    public let poolSize: Int
    public let acquireTimeout: Duration
    public let settings: SenderSettings
    public let logLevel: Logger.Level
    public let logFormat: LogFormat
    /// What this sender does not send, and the protections that are off, each as one line for the operator.
    public let warnings: [String]

    private static let usualPoolSize = 4

    /// Reads the variables of docs/running.md, "Environment".
    ///
    /// - Throws: ``ConfigurationErrors``. They contain no values, because some are secrets.
    public init(environment: [String: String]) throws(ConfigurationErrors) {
        var reader = EnvironmentReader(environment)
        poolSize = reader.number("DB_POOL_SIZE", in: 1...1000, default: Self.usualPoolSize)
        acquireTimeout = .milliseconds(reader.number("DB_ACQUIRE_TIMEOUT_MS", in: 1...600_000, default: 2000))
        let statementTimeout = reader.number("DB_STATEMENT_TIMEOUT_MS", in: 1...600_000, default: 5000)
        let connection = reader.connection(statementTimeout: .milliseconds(statementTimeout))
        databaseLogin = reader.choice("DATABASE_LOGIN", DatabaseLogin.allCases, default: .bound)
        logLevel = reader.choice("LOG_LEVEL", Logger.Level.allCases, default: .info)
        logFormat = reader.choice("LOG_FORMAT", LogFormat.allCases, default: .json)
        settings = SenderSettings(
            keys: reader.secretKeys(),
            allowsPrivateReceivers: reader.choice(
                "WEBHOOK_ALLOW_PRIVATE", Configuration.Permission.allCases, default: .no) == .yes,
            mail: reader.mail(), publicURL: reader.publicURL())
        guard reader.errors.isEmpty, let connection else { throw ConfigurationErrors(list: reader.errors) }
        self.connection = connection
        warnings = Self.warnings(settings, databaseLogin)
    }

    private static func warnings(_ settings: SenderSettings, _ login: DatabaseLogin) -> [String] {
        var warnings: [String] = []
        if settings.keys == nil { warnings.append("SECRETS_KEY_FILE is not set: no webhook is sent") }
        if settings.mail == nil { warnings.append("SMTP_URL is not set: no digest is sent") }
        if settings.mail != nil && settings.publicURL == nil {
            warnings.append("PUBLIC_URL is not set: digests contain no link")
        }
        if settings.allowsPrivateReceivers {
            warnings.append("WEBHOOK_ALLOW_PRIVATE is 1: webhooks may go to any address, by http too")
        }
        if login == .any {
            warnings.append("DATABASE_LOGIN is any: a login that could leave DATABASE_ROLE is accepted")
        }
        return warnings
    }
}
