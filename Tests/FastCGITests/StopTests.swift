import FastCGI
import Testing
import Threads

@Suite("The acceptor, told to stop,")
struct StopTests {
    /// Longer than any wait of these tests: nothing may have to wait for its end.
    private let grace = Duration.seconds(300)

    /// Waits until the only worker has put earlier requests' connections back: an answer is read before that.
    private func settle(_ server: UnixResponder) throws {
        let open = server.responder.acceptor.openConnections
        #expect(try server.client().ask(keep: false) != nil)
        #expect(eventually { server.responder.acceptor.openConnections == open })
    }

    @Test("ends at once where there is no connection, removes its path and accepts no other")
    func nothingOpen() throws {
        let server = try UnixResponder()
        #expect(try server.client().ask(keep: false) != nil)
        server.responder.acceptor.stop(grace: grace)
        #expect(server.responder.ends())
        #expect(server.folder.names == [])
        #expect(throws: Client.ConnectError.self) { try server.client() }
        server.responder.acceptor.stop(grace: grace)
    }

    @Test("answers a kept connection once more and then closes it")
    func keptConnection() throws {
        let server = try UnixResponder(workers: 1)
        let client = try server.client()
        #expect(client.ask(["SAY": "before"]) == echoed("before"))
        try settle(server)
        server.responder.acceptor.stop(grace: grace)
        #expect(client.ask(["SAY": "once more"]) == echoed("once more"))
        #expect(client.isClosed())
        #expect(server.responder.ends())
    }

    @Test("ends when the client has closed its idle connections")
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

    @Test("gives idle connections up at its deadline")
    func deadline() throws {
        let server = try UnixResponder()
        let client = try server.client()
        #expect(client.ask() != nil)
        server.responder.acceptor.stop(grace: .milliseconds(100))
        #expect(server.responder.ends())
        withExtendedLifetime(client) {}
    }

    @Test("finishes the request that it is at, and answers that connection once more")
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
        #expect(client.ask(["SAY": "once more"]) == echoed("once more"))
        #expect(client.isClosed())
        #expect(server.responder.ends())
    }

    @Test("answers every connection that waited to be accepted")
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
        // The only worker is busy, so these are in the backlog alone.
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
        #expect(first.ask(["SAY": "once more"]) == echoed("once more"))
        #expect(server.responder.ends())
    }

    @Test("answers or refuses whoever connects at that moment, and leaves nobody in between")
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
