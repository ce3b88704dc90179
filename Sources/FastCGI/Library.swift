import CFastCGI
import Glibc

/// Initializes libfcgi once per process.
enum Library {
    static func initialize() { _ = once }

    private static let once: Void = {
        // How long libfcgi waits for the peer when it closes a connection, in ms. The default would block a worker
        // for 2 s.
        setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "50", 0)
        FCGX_Init()
        // FCGX_Init installs signal handlers, which are replaced here. The application decides how to stop, and `errno`
        // reports a write to a closed connection.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
    }()
}
