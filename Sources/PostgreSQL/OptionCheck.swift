import CPostgreSQL
import Glibc

/// Has the installed libpq check options that it reads only when it connects.
///
/// libpq connects to a listening socket of this process, never to the database. That socket accepts its request for
/// TLS, upon which libpq reads its certificates and keys. Then the attempt is abandoned.
final class OptionCheck {
    private let listener: CInt
    private let port: UInt16
    private let options: HostList.Keywords
    /// How long the kernel may take for an immediate operation.
    private static let timeout = Duration.seconds(5)
    /// Keywords that name the database or may be secrets. They are not checked.
    private static let particulars = ["host", "hostaddr", "port", "user", "password", "dbname", "options", "passfile"]

    /// - Returns: nil if the system provides no socket. Errors of the options are then found by the first connection.
    init?(_ keywords: HostList.Keywords) {
        // If GSSAPI is required, libpq 17 looks for credentials at once, and these may not exist yet.
        options = keywords.filter { !Self.particulars.contains($0.keyword) && $0 != ("gssencmode", "require") }
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isListening else {
            close(descriptor)
            return nil
        }
        listener = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(listener) }

    /// Throws an error if libpq would refuse the options for any database.
    ///
    /// - Parameters:
    ///   - usesTLS: whether libpq would use TLS for one of the hosts.
    ///   - isCheckedByDefault: whether the certificate is checked by default rather than by the operator's setting.
    func run(namesUser: Bool, usesTLS: Bool, isCheckedByDefault: Bool) throws(InvalidConnectionString) {
        guard accepts(options, user: "x") else { throw InvalidConnectionString(refusal()) }
        guard namesUser || accepts(options, user: nil) else {
            throw InvalidConnectionString("names no user, and the one that this process runs as has no name")
        }
        if usesTLS { try checkTLS(isCheckedByDefault) }
    }

    private func refusal() -> String {
        let takes = "that libpq \(ConnectionString.version) does not take"
        guard accepts([], user: "x") else {
            return "is completed by variables of libpq's (PGSSLMODE and others), of which one has a value \(takes)"
        }
        let names = options.filter { !accepts([$0], user: "x") }.map(\.keyword)
        if !names.isEmpty { return "has a value of \(names.joined(separator: ", ")) \(takes)" }
        // Each option is valid alone. Leaving out each in turn shows which of them conflict.
        let together = options.map(\.keyword).filter { name in accepts(options.filter { $0.keyword != name }, user: "x")
        }
        return "has values of \(together.joined(separator: ", ")) \(takes) together"
    }

    private func accepts(_ options: HostList.Keywords, user: String?) -> Bool {
        withConnection(options, user: user) { PQstatus($0) != CONNECTION_BAD }
    }

    private func checkTLS(_ isCheckedByDefault: Bool) throws(InvalidConnectionString) {
        // A key with a password must not ask for it at the terminal.
        let standard = options.contains { $0.keyword == "sslpassword" } ? [] : [("sslpassword", "none")]
        let refusal = withConnection(options + standard + [("gssencmode", "disable")], user: "x") { handle in
            isReadyForTLS(handle) ? nil : String(cString: PQerrorMessage(handle))
        }
        guard let words = refusal else { return }
        let problem =
            switch words {
            case _ where words.contains("root certificate file") && isCheckedByDefault:
                "leads over a network, where the server's certificate is checked (sslmode=verify-full): name the file of "
                    + "its authority in sslrootcert (/etc/ssl/certs/ca-certificates.crt are Debian's), or ask for another "
                    + "sslmode by name"
            case _ where words.contains("root certificate file"):
                "asks for a check of the server's certificate, and sslrootcert names no usable file of certificates"
            case _ where words.contains("group or world access"):
                "names a file in sslkey that others may read; libpq takes one of mode 0600"
            case _ where words.contains("private key"):
                "names no file in sslkey that holds, readable with sslpassword, the key of sslcert's certificate"
            case _ where words.contains("certificate file"): "names a file in sslcert that holds no certificate"
            default: "has options or files for TLS (ssl…) that libpq \(ConnectionString.version) cannot use"
            }
        throw InvalidConnectionString(problem)
    }

    private func withConnection<Result>(
        _ options: HostList.Keywords, user: String?, _ body: (OpaquePointer?) -> Result
    ) -> Result {
        let target = [
            ("host", "localhost"), ("hostaddr", "127.0.0.1"), ("port", String(port)), ("dbname", "x"),
            ("password", "x"),
        ]
        let all = options + target + (user.map { [("user", $0)] } ?? [])
        let keywords = all.map { strdup($0.0) } + [nil]
        let values = all.map { strdup($0.1) } + [nil]
        defer { for pointer in keywords + values { free(pointer) } }
        let handle = PQconnectStartParams(keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 0)
        defer { PQfinish(handle) }
        return body(handle)
    }

    /// Responds to libpq until it has read its options and begins TLS or the session.
    ///
    /// - Returns: false if it fails before that.
    private func isReadyForTLS(_ handle: OpaquePointer?) -> Bool {
        var (peer, status) = (CInt(-1), PGRES_POLLING_WRITING)
        defer { if peer >= 0 { close(peer) } }
        let deadline = ContinuousClock.now + Self.timeout
        while ContinuousClock.now < deadline {
            var sockets = [
                (listener, POLLIN), (peer, POLLIN),
                (PQsocket(handle), status == PGRES_POLLING_READING ? POLLIN : POLLOUT),
            ]
            .map { pollfd(fd: $0.0, events: Int16($0.1), revents: 0) }
            guard poll(&sockets, nfds_t(sockets.count), 100) >= 0 || errno == EINTR else { return true }
            if sockets[0].revents != 0 {
                // A second connection is the attempt without TLS, for `sslmode=prefer`.
                if peer >= 0 { close(peer) }
                peer = accept(listener, nil, nil)
            } else if sockets[1].revents != 0, !answersTLSRequest(peer) {
                return true
            } else if sockets[2].revents != 0 {
                status = PQconnectPoll(handle)
                if status == PGRES_POLLING_FAILED { return false }
            }
        }
        return true
    }

    /// Accepts a request for TLS (PostgreSQL documentation, section 55.7). Returns false for any other message.
    private func answersTLSRequest(_ peer: CInt) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = recv(peer, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        // libpq has closed this connection. It may try again with another one.
        guard count > 0 else { return true }
        guard bytes.prefix(count) == [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F] else { return false }
        return send(peer, "S", 1, CInt(MSG_NOSIGNAL)) == 1
    }
}
