import CLinux
import Glibc

/// Starts the server from the process's environment and reports its errors to the operator.
public enum Launcher {
    /// The exit status for an invalid configuration: `EX_CONFIG` of sysexits.h. systemd need not restart after it.
    private static let invalidConfiguration: Int32 = 78

    /// Serves until stopped. Returns the exit status.
    public static func serve() -> Int32 {
        run(configuration) { try Application(configuration: $0).run($1) }
    }

    /// Sends webhooks and digests until stopped. Returns the exit status.
    public static func deliver() -> Int32 {
        run(senderConfiguration) { try SenderApplication(configuration: $0).run($1) }
    }

    private static func run<Settings>(
        _ configuration: () -> Settings?, _ body: (Settings, OperatorSignals) throws -> Void
    ) -> Int32 {
        // This is first, so that no secret has been read yet.
        guard forbidDumps() else { return 1 }
        ProcessSettings.apply()
        let signals = OperatorSignals()
        keepStandardDescriptors()
        guard let configuration = configuration() else { return invalidConfiguration }
        do {
            try body(configuration, signals)
            return 0
        } catch {
            complain("\(error)")
            return 1
        }
    }

    /// Only checks the server's environment. Returns the exit status.
    public static func checkConfiguration() -> Int32 {
        guard let configuration = configuration() else { return invalidConfiguration }
        return report(configuration.verdict, configuration.protectionsOff.map(\.text))
    }

    /// Only checks the sender's environment. Returns the exit status.
    public static func checkSenderConfiguration() -> Int32 {
        guard let configuration = senderConfiguration() else { return invalidConfiguration }
        return report("The configuration is valid.", configuration.warnings)
    }

    private static func report(_ verdict: String, _ warnings: [String]) -> Int32 {
        print(verdict)
        for warning in warnings { print("warning: \(warning)") }
        return 0
    }

    /// Keeps secrets and patient data out of core dumps, and hides the process's memory from this user's other
    /// processes (`prctl(2)`, `PR_SET_DUMPABLE`). A size limit does not apply to dumps that are piped to a program
    /// (`core(5)`).
    private static func forbidDumps() -> Bool {
        guard reengagement_forbid_dumps() == 0 else {
            complain("the system does not let this process forbid core dumps (errno \(errno))")
            return false
        }
        return true
    }

    /// Opens standard input, output and error if the parent process closed them. Otherwise a connection could get
    /// descriptor 1 and receive the log.
    private static func keepStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // `open` returns the lowest free number, which is this one. A failure is ignored: without /dev/null there
            // is nothing else to open.
            _ = open("/dev/null", O_RDWR)
        }
    }

    private static func configuration() -> Configuration? {
        do throws(ConfigurationErrors) {
            let cores = Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
            return try Configuration(environment: environment(), cores: cores, processID: getpid())
        } catch {
            for error in error.list { complain(error.description) }
            return nil
        }
    }

    private static func senderConfiguration() -> SenderConfiguration? {
        do throws(ConfigurationErrors) {
            return try SenderConfiguration(environment: environment())
        } catch {
            for error in error.list { complain(error.description) }
            return nil
        }
    }

    private static func complain(_ line: String) {
        let bytes = Array("reengagement-api: \(line)\n".utf8)
        // A failure to write to standard error cannot be reported.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }
}
