import CFastCGI
import Glibc

/// The initialization of libfcgi, once in a process.
enum Library {
    static func initialize() { _ = once }

    private static let once: Void = {
        // How long libfcgi waits for the other end when it closes a connection, in ms; its default is 2 s of a worker.
        setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "50", 0)
        FCGX_Init()
        // FCGX_Init installs signal handlers. The application decides how to stop, and a write to a closed connection
        // is reported by its errno.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
    }()
}
