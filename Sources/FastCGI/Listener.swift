import CLinux
import Glibc

/// A listening socket that the application opened itself or inherited.
///
/// `FCGX_OpenSocket` is not used. It unlinks any file at the path, leaves the mode to the umask, supports only IPv4,
/// binds every address for `:port` and calls `exit()` on failure.
public final class Listener: Sendable {
    let descriptor: CInt
    private let ownPath: OwnPath?
    private let isInherited: Bool

    /// How many connections may wait to be accepted. If the backlog is full, nginx responds with 502 at once.
    private static let backlog: CInt = 4096

    private init(descriptor: CInt, ownPath: OwnPath? = nil, isInherited: Bool = false) {
        self.descriptor = descriptor
        self.ownPath = ownPath
        self.isInherited = isInherited
    }

    deinit { close(descriptor) }

    /// Opens a socket at `address`.
    ///
    /// A unix socket is created next to its path and then renamed to it. So a listener exists at any time while a new
    /// server replaces a running one, and the old server can see that the path is no longer its own. The mode is 0660,
    /// since nginx has access through the group.
    ///
    /// - Throws: ``ListenError``, also if the path exists and is not a socket.
    public static func open(_ address: ListenAddress) throws(ListenError) -> Listener {
        switch address {
        case .unix(let path): try openUnix(path)
        case .tcp(let host, let port): try openTCP(host, port)
        }
    }

    /// Takes over a listening socket from the process that started this one (systemd's `sd_listen_fds(3)`).
    public static func inherited(descriptor: CInt) throws(ListenError) -> Listener {
        var listening: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0, listening == 1 else {
            throw ListenError(description: "descriptor \(descriptor) is not a listening socket")
        }
        try prepare(descriptor)
        return Listener(descriptor: descriptor, isInherited: true)
    }

    /// A second descriptor of the socket, which its receiver has to close.
    public func duplicate() throws(ListenError) -> CInt {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Self.failure("fcntl") }
        return copy
    }

    /// Removes the path if it is still this socket's, so that no new connection arrives.
    ///
    /// An inherited socket stays, since the process that opened it still listens.
    public func withdraw() { ownPath?.remove() }

    /// Refuses new connections. Call it after the waiting ones have been accepted.
    public func refuse() {
        if !isInherited { shutdown(descriptor, CInt(SHUT_RDWR)) }
    }

    private static func openUnix(_ path: String) throws(ListenError) -> Listener {
        guard path.utf8.count <= ListenAddress.longestPath else {
            throw ListenError(description: "\(path) is longer than \(ListenAddress.longestPath) bytes")
        }
        var existing = stat()
        if lstat(path, &existing) == 0, existing.st_mode & S_IFMT != S_IFSOCK {
            throw ListenError(description: "\(path) exists and is not a socket")
        }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw failure("socket") }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./"
        let name = ".socket-\(getpid())-\(descriptor)"
        let temporary = folder + name
        do throws(ListenError) {
            unlink(temporary)
            try bind(descriptor, to: name, in: folder)
            guard chmod(temporary, 0o660) == 0 else { throw failure("chmod \(temporary)") }
            guard listen(descriptor, backlog) == 0 else { throw failure("listen") }
            try prepare(descriptor)
            let ownPath = try OwnPath(path, boundAt: temporary)
            guard rename(temporary, path) == 0 else { throw failure("rename to \(path)") }
            return Listener(descriptor: descriptor, ownPath: ownPath)
        } catch {
            close(descriptor)
            unlink(temporary)
            throw error
        }
    }

    /// Binds the socket through the folder's descriptor.
    ///
    /// The temporary path may be too long for the kernel although the final path is not.
    private static func bind(_ descriptor: CInt, to name: String, in folder: String) throws(ListenError) {
        let folderDescriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { throw failure("open \(folder)") }
        defer { close(folderDescriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0.copyBytes(from: "/proc/self/fd/\(folderDescriptor)/\(name)".utf8)
        }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw failure("bind \(folder)\(name)") }
    }

    private static func openTCP(_ host: String, _ port: UInt16) throws(ListenError) -> Listener {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &found)
        guard code == 0, let first = found else {
            throw ListenError(description: "\(host): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(first) }
        let descriptor = socket(first.pointee.ai_family, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw failure("socket") }
        do throws(ListenError) {
            var one: CInt = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
            guard Glibc.bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
                throw failure("bind \(host):\(port)")
            }
            guard listen(descriptor, backlog) == 0 else { throw failure("listen") }
            try prepare(descriptor)
            return Listener(descriptor: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Makes the socket non-blocking, since one connection may wake several workers, and closed on exec.
    private static func prepare(_ descriptor: CInt) throws(ListenError) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
        else { throw failure("fcntl") }
    }

    private static func failure(_ call: String) -> ListenError {
        ListenError(description: "\(call): \(String(cString: strerror(errno)))")
    }
}

/// The path of a unix socket, and the file that this process created there.
private struct OwnPath: Sendable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    init(_ path: String, boundAt temporary: String) throws(ListenError) {
        var status = stat()
        guard lstat(temporary, &status) == 0 else {
            throw ListenError(description: "lstat \(temporary): \(String(cString: strerror(errno)))")
        }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    func remove() {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unlink(path)
    }
}
