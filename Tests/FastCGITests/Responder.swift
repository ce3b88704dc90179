import FastCGI
import Glibc
import Threads

/// A folder for sockets, removed with the value that made it.
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

    /// What is in it, sorted.
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

/// An acceptor and its workers, which answer as a test tells them.
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
        // A worker that hangs has failed its test; this one must not hang for it.
        if ends() { for thread in threads { thread.join() } }
    }

    /// Whether all workers return, within half a minute.
    func ends() -> Bool { running.wait(until: .now + .seconds(30)) { $0 == 0 ? true : nil } ?? false }
}

/// A responder on a unix socket in a folder of its own.
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

/// Answers with what the request asked for.
@Sendable func echo(_ exchange: Exchange) {
    let said = exchange.parameter("SAY") ?? []
    exchange.answer(head: Array("Status: 200 OK\r\n\r\n".utf8), body: said)
}

/// What ``echo(_:)`` answers to a request that has `SAY`.
func echoed(_ text: String) -> String { "Status: 200 OK\r\n\r\n\(text)" }

/// Something that a test opens for all who wait for it.
final class Gate: Sendable {
    private let isOpen = Monitor(false)

    func open() {
        isOpen.withLock { $0 = true }
        isOpen.notifyAll()
    }

    /// Waits until it is open, for half a minute at most.
    @discardableResult
    func wait() -> Bool { isOpen.wait(until: .now + .seconds(30)) { $0 ? true : nil } ?? false }
}

/// Whether something comes true within half a minute.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
        if condition() { return true }
        Thread.sleep(.milliseconds(5))
    }
    return condition()
}
