import FastCGI
import Glibc
import Threads

/// A folder for sockets, removed with its last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/fastcgi-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Client.ConnectError(code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    /// The names of its entries, sorted.
    var names: [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// An acceptor and its workers, which respond with a function of the test.
final class Responder: Sendable {
    let acceptor: Acceptor
    private let running: Monitor<Int>
    private let threads: [Thread]

    init(_ listener: Listener, workers: Int = 2, _ answer: @escaping @Sendable (Exchange) -> Void) throws {
        let acceptor = try Acceptor(listener: listener)
        let running = Monitor(workers)
        threads = try (0..<workers).map { _ in
            try Thread.start {
                while let exchange = acceptor.accept() {
                    answer(exchange)
                }
                running.withLock { $0 -= 1 }
                running.notifyAll()
            }
        }
        self.acceptor = acceptor
        self.running = running
    }

    deinit {
        acceptor.stop(grace: .zero)
        // A worker that hangs has already failed its test, and must not hang this deinitializer.
        if ends() { for thread in threads { thread.join() } }
    }

    /// True if all workers return within half a minute.
    func ends() -> Bool { running.wait(until: .now + .seconds(30)) { $0 == 0 ? true : nil } ?? false }
}

/// A responder on a unix socket in its own folder.
struct UnixResponder {
    let folder: TemporaryFolder
    let path: String
    let responder: Responder

    init(workers: Int = 2, _ answer: @escaping @Sendable (Exchange) -> Void = echo) throws {
        folder = try TemporaryFolder()
        path = folder.path + "/s"
        responder = try Responder(Listener.open(.unix(path: path)), workers: workers, answer)
    }

    func client() throws -> Client { try Client(path: path) }
}

/// Responds with the parameter `SAY`.
@Sendable func echo(_ exchange: Exchange) {
    let said = exchange.parameter("SAY") ?? []
    exchange.respond(head: Array("Status: 200 OK\r\n\r\n".utf8), body: said)
}

/// The response of ``echo(_:)`` to a request with this `SAY`.
func echoed(_ text: String) -> String { "Status: 200 OK\r\n\r\n\(text)" }

/// A gate that a test opens for all waiting threads.
final class Gate: Sendable {
    private let isOpen = Monitor(false)

    func open() {
        isOpen.withLock { $0 = true }
        isOpen.notifyAll()
    }

    /// Waits until it is open, for at most half a minute.
    @discardableResult
    func wait() -> Bool { isOpen.wait(until: .now + .seconds(30)) { $0 ? true : nil } ?? false }
}

/// True if the condition becomes true within half a minute.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
        if condition() { return true }
        Thread.sleep(.milliseconds(5))
    }
    return condition()
}
