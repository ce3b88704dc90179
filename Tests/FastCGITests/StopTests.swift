import FastCGI
import Testing
import Threads

@Suite("Stopping the acceptor")
struct StopTests {
    /// Longer than any wait of these tests, so that none passes because the grace has ended.
    private let grace = Duration.seconds(300)

    /// Waits until the only worker has given its connections back, which it does after a response.
    private func settle(_ server: UnixResponder) throws {
        let open = server.responder.acceptor.openConnections
        #expect(try server.client().ask(keep: false) != nil)
        #expect(eventually { server.responder.acceptor.openConnections == open })
    }

    @Test("Without connections, the workers end at once, the path is removed and no connection is accepted")
    func nothingOpen() throws {
        let server = try UnixResponder()
        #expect(try server.client().ask(keep: false) != nil)
        server.responder.acceptor.stop(grace: grace)
        #expect(server.responder.ends())
        #expect(server.folder.names == [])
        #expect(throws: Client.ConnectError.self) { try server.client() }
        server.responder.acceptor.stop(grace: grace)
    }

    @Test("An idle connection gets one more response and is then closed")
    func idleConnection() throws {
        let server = try UnixResponder(workers: 1)
        let client = try server.client()
        #expect(client.ask(["SAY": "before"]) == echoed("before"))
        try settle(server)
        server.responder.acceptor.stop(grace: grace)
        #expect(client.ask(["SAY": "again"]) == echoed("again"))
        #expect(client.isClosed())
        #expect(server.responder.ends())
    }

    @Test("The workers end when the client has closed its idle connections")
    func idleConnections() throws {
        let server = try UnixResponder(workers: 1)
        var clients = try (0..<8).map { _ in try server.client() }
        for client in clients { try #require(client.ask() != nil) }
        try settle(server)
        server.responder.acceptor.stop(grace: grace)
        #expect(server.responder.acceptor.openConnections == 8)
        clients = []
        #expect(server.responder.ends())
    }

    @Test("The workers end at the deadline despite idle connections")
    func deadline() throws {
        let server = try UnixResponder()
        let client = try server.client()
        #expect(client.ask() != nil)
        server.responder.acceptor.stop(grace: .milliseconds(100))
        #expect(server.responder.ends())
        withExtendedLifetime(client) {}
    }

    @Test("The current request is finished, and its connection gets one more response")
    func underWay() throws {
        let (begun, gate) = (Gate(), Gate())
        let server = try UnixResponder { exchange in
            begun.open()
            gate.wait()
            echo(exchange)
        }
        let client = try server.client()
        client.send(request(["SAY": "in time"]))
        #expect(begun.wait())
        server.responder.acceptor.stop(grace: grace)
        gate.open()
        #expect(client.answer() == Array(echoed("in time").utf8))
        #expect(client.ask(["SAY": "again"]) == echoed("again"))
        #expect(client.isClosed())
        #expect(server.responder.ends())
    }

    @Test("Every connection in the backlog gets a response")
    func backlog() throws {
        let (begun, gate) = (Gate(), Gate())
        let server = try UnixResponder(workers: 1) { exchange in
            begun.open()
            gate.wait()
            echo(exchange)
        }
        let first = try server.client()
        first.send(request(["SAY": "first"]))
        #expect(begun.wait())
        // The only worker is busy, so these connections are only in the backlog.
        let waiting = try (0..<32).map { number in
            let client = try server.client()
            client.send(request(["SAY": "\(number)"]))
            return client
        }
        server.responder.acceptor.stop(grace: grace)
        gate.open()
        for (number, client) in waiting.enumerated() {
            try #require(client.answer() == Array(echoed("\(number)").utf8))
            try #require(client.isClosed())
        }
        #expect(first.answer() == Array(echoed("first").utf8))
        #expect(first.ask(["SAY": "again"]) == echoed("again"))
        #expect(server.responder.ends())
    }

    @Test("A client that connects during the stop gets a response or is refused")
    func race() throws {
        for _ in 0..<10 {
            let server = try UnixResponder(workers: 2)
            let path = server.path
            let outcomes = Monitor<[Bool]>([])
            let clients = try (0..<4).map { _ in
                try Thread.start {
                    while let client = try? Client(path: path) {
                        let answer = client.ask(["SAY": "x"], keep: false)
                        outcomes.withLock { $0.append(answer == echoed("x")) }
                        guard answer != nil else { return }
                    }
                }
            }
            #expect(eventually { outcomes.withLock { $0.count } >= 100 })
            server.responder.acceptor.stop(grace: grace)
            for client in clients { client.join() }
            #expect(!outcomes.withLock { $0.contains(false) })
            try #require(server.responder.ends())
        }
    }
}
