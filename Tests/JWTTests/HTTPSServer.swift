import Foundation

/// A certificate authority for the tests, and its certificate for 127.0.0.1 alone.
struct TestAuthority {
    let folder: TemporaryFolder
    let certificate: String

    var caFile: String { folder.path + "/ca.pem" }

    init() throws {
        folder = try TemporaryFolder()
        let path = folder.path
        func openssl(_ arguments: String) throws {
            try run("/usr/bin/openssl", arguments.split(separator: " ").map(String.init))
        }
        try openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout \(path)/ca.key -out \(path)/ca.pem")
        try openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -addext subjectAltName=IP:127.0.0.1"
                + " -addext basicConstraints=critical,CA:FALSE"
                + " -CA \(path)/ca.pem -CAkey \(path)/ca.key -keyout \(path)/server.key -out \(path)/server.pem")
        certificate = try String(contentsOfFile: path + "/ca.pem", encoding: .utf8)
    }
}

/// A real HTTPS server on a free port of the loopback, which responds as its mode requires.
final class HTTPSServer {
    /// The kind of the next responses.
    enum Mode: String {
        case ok, error, slow, huge, drip, plain, gzip, bomb
        /// Redirects to another path, without end, to the same server under another name, to another port, to http,
        /// and to an address with a password.
        case moved, redirect, otherHost, otherPort, downgrade, credentials
    }

    let authority: TestAuthority
    private let process: ChildProcess
    private let port: Int

    var url: String { "https://127.0.0.1:\(port)/jwks.json" }
    /// The same server under a name that its certificate does not contain.
    var urlByName: String { "https://localhost:\(port)/jwks.json" }
    /// The same port for a client without TLS.
    var plainURL: String { "http://127.0.0.1:\(port)/jwks.json" }

    init(_ document: String, mode: Mode = .ok) throws {
        authority = try TestAuthority()
        let folder = authority.folder
        try folder.write(document, to: "document")
        try folder.write(mode.rawValue, to: "mode")
        process = try ChildProcess("/usr/bin/python3", [folder.write(Self.script, to: "server.py"), folder.path])
        guard let port = Int(process.readLine()) else { throw ChildError(program: "server.py", status: 0) }
        self.port = port
    }

    /// Responds with `document` from now on.
    func answer(_ document: String, _ mode: Mode = .ok) throws {
        try authority.folder.write(document, to: "document")
        try authority.folder.write(mode.rawValue, to: "mode")
    }

    /// The number of requests.
    var requests: Int {
        ((try? String(contentsOfFile: authority.folder.path + "/requests", encoding: .utf8)) ?? "").count { $0 == "\n" }
    }

    func stop() { process.kill() }

    // The script also ends with its standard input, so that a crashed test leaves no process running.
    private static let script = """
        import gzip, http.server, os, ssl, sys, threading, time
        folder = sys.argv[1]

        def read(name):
            with open(f"{folder}/{name}", "rb") as file:
                return file.read()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with open(f"{folder}/requests", "a") as file:
                    file.write(self.path + "\\n")
                mode, body = read("mode").decode(), read("document")
                if mode == "slow":
                    time.sleep(30)
                if mode == "error":
                    return self.answer(500, body)
                if mode == "moved" and self.path != "/elsewhere":
                    return self.answer(308, b"moved", {"Location": "/elsewhere"})
                port = self.server.server_address[1]
                target = {
                    "redirect": "/elsewhere" if self.path != "/elsewhere" else "/x",
                    "otherHost": f"https://localhost:{port}/elsewhere", "otherPort": "https://127.0.0.1:1/elsewhere",
                    "downgrade": f"http://127.0.0.1:{port}/elsewhere",
                    "credentials": f"https://a:b@127.0.0.1:{port}/elsewhere",
                }.get(mode)
                if target:
                    return self.answer(302, body, {"Location": target})
                if mode == "gzip":
                    return self.answer(200, gzip.compress(body), {"Content-Encoding": "gzip"})
                if mode == "bomb":
                    return self.answer(200, gzip.compress(b" " * (4 << 20)), {"Content-Encoding": "gzip"})
                if mode == "huge":
                    return self.answer(200, b" " * (300 << 10) + body)
                if mode == "drip":
                    return self.drip()
                self.answer(200, body)

            def answer(self, status, body, headers={}):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def drip(self):
                self.send_response(200)
                self.end_headers()
                for _ in range(300):
                    self.wfile.write(b" ")
                    time.sleep(0.1)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            def handle_error(self, *_):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        if read("mode") != b"plain":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print(server.server_address[1], flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        server.serve_forever()
        """
}
