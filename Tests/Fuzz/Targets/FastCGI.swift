import FastCGI
import Glibc
import Threads

/// Records on the server's socket, through acceptor, libfcgi and exchange, up to a complete response.
@Sendable func fuzzFastCGI(_ input: [UInt8]) {
    // An input that exceeds the socket's buffer would need a second thread to send it.
    let connection = responder.connect()
    defer { close(connection) }
    _ = input.prefix(65_536).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    // Ends an incomplete record, which would otherwise hold the worker for a second.
    shutdown(connection, CInt(SHUT_WR))
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while recv(connection, &buffer, buffer.count, 0) > 0 {}
}

private let responder = Responder()

/// A worker like the server's, which reads all parts of a request.
private final class Responder: Sendable {
    private let path: String

    init() {
        path = "/tmp/reengagement-fuzz-\(getpid())"
        do {
            let acceptor = try Acceptor(listener: try Listener.open(.unix(path: path)))
            try Thread.start { while let exchange = acceptor.accept() { answer(exchange) } }.detach()
        } catch {
            preconditionFailure("the responder did not start: \(error)")
        }
        atexit { unlink("/tmp/reengagement-fuzz-\(getpid())") }
    }

    func connect() -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(result == 0, "the socket accepts no connection")
        return descriptor
    }
}

private func answer(_ exchange: Exchange) {
    for name in ["REQUEST_METHOD", "REQUEST_URI", "HTTP_AUTHORIZATION", "CONTENT_LENGTH"] as [StaticString] {
        _ = exchange.text(name)
        // A value ends at its first zero byte, since libfcgi holds it as a C string.
        precondition(!(exchange.parameter(name) ?? []).contains(0))
    }
    if case .complete(let body) = exchange.body(limit: 4096) { precondition(body.count <= 4096) }
    exchange.respond(head: Array("Status: 200 OK\r\n\r\n".utf8), body: [UInt8](repeating: 7, count: 20_000))
}
