import Glibc
import Testing
import Threads

@testable import FastCGI

@Suite("The listener on a unix socket")
struct UnixListenerTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/s"
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : nil
    }

    @Test("The socket is accessible to its group, and no other file remains in its folder")
    func mode() throws {
        let listener = try Listener.open(.unix(path: path))
        #expect(mode(path) == S_IFSOCK | 0o660)
        #expect(folder.names == ["s"])
        _ = try Client(path: path)
        withExtendedLifetime(listener) {}
    }

    @Test("A path with another file is refused, and that file stays")
    func notASocket() throws {
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        symlink(path, folder.path + "/link")
        for name in ["s", "link", ""] {
            let error = #expect(throws: ListenError.self) { try Listener.open(.unix(path: "\(folder.path)/\(name)")) }
            #expect(error?.description.contains("not a socket") == true)
        }
        #expect(mode(path) == S_IFREG | 0o600)
        #expect(folder.names == ["link", "s"])
    }

    @Test("A missing or read-only folder is refused")
    func noFolder() {
        for path in ["\(folder.path)/none/s", "/proc/s"] {
            #expect(throws: ListenError.self) { try Listener.open(.unix(path: path)) }
        }
    }

    @Test("A new server replaces a running one and one that has died")
    func takeover() throws {
        var first: Listener? = try Listener.open(.unix(path: path))
        let second = try Listener.open(.unix(path: path))
        let responder = try Responder(second, echo)
        #expect(try Client(path: path).ask(["SAY": "second"]) == echoed("second"))
        first?.withdraw()
        first?.refuse()
        #expect(try Client(path: path).ask(["SAY": "still"]) == echoed("still"))
        responder.acceptor.stop(grace: .zero)
        #expect(folder.names == [])
        first = try Listener.open(.unix(path: path))
        first = nil  // The path stays, as after a crash.
        #expect(folder.names == ["s"])
        let third = try Listener.open(.unix(path: path))
        _ = try Client(path: path)
        third.withdraw()
        #expect(folder.names == [])
    }

    @Test("A path that now belongs to another file is not removed")
    func removedByHand() throws {
        let listener = try Listener.open(.unix(path: path))
        unlink(path)
        listener.withdraw()
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        listener.withdraw()
        #expect(folder.names == ["s"])
    }

    @Test("A path may have the length of the kernel's limit and no more")
    func longPaths() throws {
        let prefix = folder.path + "/"
        for length in [90, 100, 106, 107] {
            let longest = prefix + String(repeating: "n", count: length - prefix.utf8.count)
            let listener = try Listener.open(.unix(path: longest))
            #expect(mode(longest) == S_IFSOCK | 0o660)
            _ = try Client(path: longest)
            listener.withdraw()
        }
        let tooLong = prefix + String(repeating: "n", count: 108 - prefix.utf8.count)
        let error = #expect(throws: ListenError.self) { try Listener.open(.unix(path: tooLong)) }
        #expect(error?.description.contains("107") == true)
        #expect(folder.names == [])
    }

    @Test("A long folder with a short name is accepted")
    func deepPath() throws {
        let deep = folder.path + "/" + String(repeating: "d", count: 104 - folder.path.utf8.count)
        mkdir(deep, 0o700)
        defer { rmdir(deep) }
        let listener = try Listener.open(.unix(path: deep + "/s"))
        _ = try Client(path: deep + "/s")
        listener.withdraw()
    }

    @Test("The socket does not block, and is closed in child processes")
    func flags() throws {
        let listener = try Listener.open(.unix(path: path))
        #expect(fcntl(listener.descriptor, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }
}

@Suite("The listener on a TCP port")
struct TCPListenerTests {
    /// A port that was free at the time of the call.
    private func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in.loopback(port: 0)
        #expect(withSocketAddress(&address) { bind(descriptor, $0, $1) } == 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        #expect(withSocketAddress(&address) { pointer, _ in getsockname(descriptor, pointer, &length) } == 0)
        return UInt16(bigEndian: address.sin_port)
    }

    /// A listener, on another port if the first one was taken meanwhile.
    private func listener() throws -> (Listener, UInt16) {
        for _ in 0..<10 {
            let port = try freePort()
            if let listener = try? Listener.open(.tcp(host: "127.0.0.1", port: port)) { return (listener, port) }
        }
        let port = try freePort()
        return (try Listener.open(.tcp(host: "127.0.0.1", port: port)), port)
    }

    @Test("The listener accepts connections, refuses a port in use, and stops listening")
    func life() throws {
        let (listener, port) = try listener()
        let responder = try Responder(listener, echo)
        #expect(try Client(port: port).ask(["SAY": "tcp"]) == echoed("tcp"))
        let error = #expect(throws: ListenError.self) { try Listener.open(.tcp(host: "127.0.0.1", port: port)) }
        #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        responder.acceptor.stop(grace: .seconds(60))
        #expect(responder.ends())
        let refusal = #expect(throws: Client.ConnectError.self) { try Client(port: port) }
        #expect(refusal?.code == ECONNREFUSED)
    }

    @Test("The error names the host that has no address")
    func unknownHost() {
        let error = #expect(throws: ListenError.self) { try Listener.open(.tcp(host: "no such host", port: 9000)) }
        #expect(error?.description.hasPrefix("no such host: ") == true)
    }
}

@Suite("The inherited listener")
struct InheritedListenerTests {
    private func listeningSocket(_ path: String) -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        #expect(withSocketAddress(&address) { bind(descriptor, $0, $1) } == 0)
        #expect(listen(descriptor, 16) == 0)
        return descriptor
    }

    @Test("It accepts connections, and leaves path and socket to the next server")
    func successor() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        let ours = listeningSocket(path)
        let next = dup(ours)
        let responder = try Responder(Listener.inherited(descriptor: ours), echo)
        #expect(fcntl(ours, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(ours, F_GETFD) & FD_CLOEXEC != 0)
        #expect(try Client(path: path).ask(["SAY": "first"]) == echoed("first"))
        responder.acceptor.stop(grace: .seconds(60))
        #expect(responder.ends())
        #expect(folder.names == ["s"])
        // Between the two servers, a connection waits and is not refused.
        let client = try Client(path: path)
        client.send(request(["SAY": "next"]))
        let successor = try Responder(Listener.inherited(descriptor: next), echo)
        #expect(client.answer().map { String(decoding: $0, as: UTF8.self) } == echoed("next"))
        withExtendedLifetime(successor) {}
    }

    @Test("A descriptor that does not listen is refused")
    func refused() throws {
        let folder = try TemporaryFolder()
        let connected = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        let file = open(folder.path + "/file", O_CREAT | O_RDWR, 0o600)
        defer {
            close(connected)
            close(file)
        }
        for descriptor in [connected, file, -1] {
            let error = #expect(throws: ListenError.self) { try Listener.inherited(descriptor: descriptor) }
            #expect(error?.description.contains("not a listening socket") == true)
        }
    }
}
