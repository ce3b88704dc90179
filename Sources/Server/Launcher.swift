import CSystem
import Glibc

/// Starts the server from the process's environment and reports in the operator's terms.
public enum Launcher {
    /// The exit status for a bad configuration: `EX_CONFIG` of sysexits.h, after which systemd need not retry.
    private static let configurationFault: Int32 = 78

    /// Serves until stopped; returns the exit status.
    public static func serve() -> Int32 {
        // Before anything secret is read.
        guard forbidDumps() else { return 1 }
        ProcessSettings.apply()
        let signals = OperatorSignals()
        keepStandardDescriptors()
        guard let configuration = configuration() else { return configurationFault }
        do throws(Application.StartError) {
            try Application(configuration: configuration).run(signals)
            return 0
        } catch {
            complain(error.description)
            return 1
        }
    }

    /// Only checks the environment; returns the exit status.
    public static func checkConfiguration() -> Int32 {
        guard let configuration = configuration() else { return configurationFault }
        print(configuration.verdict)
        for protection in configuration.protectionsOff { print("warning: \(protection.text)") }
        return 0
    }

    /// Keeps password, tokens and patients' data out of core dumps, and out of the reach of this user's other processes
    /// (`prctl(2)`, `PR_SET_DUMPABLE`). A limit of size does not do it where dumps are piped to a program (`core(5)`).
    private static func forbidDumps() -> Bool {
        guard reengagement_forbid_dumps() == 0 else {
            complain("the system does not let this process forbid core dumps (errno \(errno))")
            return false
        }
        return true
    }

    /// Opens those of standard input, output and error that whoever started this closed: a connection that got
    /// the number 1 would be sent the log.
    private static func keepStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. Without /dev/null nothing better can be done.
            _ = open("/dev/null", O_RDWR)
        }
    }

    private static func configuration() -> Configuration? {
        do throws(Configuration.Faults) {
            let cores = Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
            return try Configuration(environment: environment(), cores: cores, processID: getpid())
        } catch {
            for fault in error.list { complain(fault.description) }
            return nil
        }
    }

    private static func complain(_ line: String) {
        let bytes = Array("reengagement-api: \(line)\n".utf8)
        // Nobody is left to tell where standard error is gone.
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
