import CFastCGI
import Glibc

/// What libfcgi and this module want of the process.
enum Library {
    static func initialize() { _ = once }

    private static let once: Void = {
        // How long libfcgi waits for the other end when it closes a connection, in ms; its default is 2 s of a worker.
        setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "50", 0)
        FCGX_Init()
        // FCGX_Init installs handlers of its own; a write to a closed connection is reported by its errno,
        // and how to stop is the application's to decide.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
        raiseDescriptorLimit()
        // Otherwise the memory of each long answer goes back to the system with it, and comes anew, page by page,
        // with the next one (docs/performance.md). Each thread's share of the memory keeps so much to itself, which is
        // several times what a long answer takes.
        mallopt(reengagement_M_MMAP_THRESHOLD, 4 << 20)
        mallopt(reengagement_M_TRIM_THRESHOLD, 2 << 20)
    }()

    /// The soft limit, usually 1024, is there for programs that use `select`: nothing here does.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // Where it is refused, as many connections as before can be had.
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
