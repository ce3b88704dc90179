import FastCGI
import Testing
import Threads

@Suite("The acceptor")
struct AcceptorTests {
    @Test("A reusable connection serves many requests, and any other connection serves one")
    func keepAlive() throws {
        let server = try UnixResponder()
        let client = try server.client()
        for round in 0..<200 { try #require(client.ask(["SAY": "\(round)"]) == echoed("\(round)")) }
        #expect(server.responder.acceptor.openConnections == 1)
        #expect(client.ask(["SAY": "last"], keep: false) == echoed("last"))
        #expect(client.isClosed())
        #expect(eventually { server.responder.acceptor.openConnections == 0 })
    }

    @Test("The responses of many concurrent clients are not mixed up")
    func manyClients() throws {
        let server = try UnixResponder(workers: 4)
        let wrong = Monitor<[String]>([])
        let threads = try (0..<16).map { number in
            let client = Monitor(try server.client())
            return try Thread.start {
                for round in 0..<50 {
                    let text = String(repeating: "\(number).\(round) ", count: 1 + round * 20)
                    let answer = client.withLock { $0.ask(["SAY": text]) }
                    guard answer == echoed(text) else { return wrong.withLock { $0.append("\(number).\(round)") } }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(wrong.withLock { $0 } == [])
    }

    @Test("Idle connections, reused or new, do not delay a request")
    func idleConnections() throws {
        let server = try UnixResponder(workers: 2)
        let reused = try (0..<64).map { _ in try server.client() }
        for client in reused { try #require(client.ask(["SAY": "first"]) == echoed("first")) }
        let silent = try (0..<16).map { _ in try server.client() }
        #expect(try server.client().ask(["SAY": "now"], keep: false) == echoed("now"))
        #expect(eventually { server.responder.acceptor.openConnections == 80 })
        // All of them are still usable.
        for client in (reused + silent).reversed() { try #require(client.ask(["SAY": "again"]) == echoed("again")) }
    }

    @Test("A connection that its client closed is no longer counted")
    func closedByClient() throws {
        let server = try UnixResponder()
        var clients = try (0..<8).map { _ in try server.client() }
        for client in clients { try #require(client.ask() != nil) }
        #expect(server.responder.acceptor.openConnections == 8)
        clients = []
        #expect(eventually { server.responder.acceptor.openConnections == 0 })
    }

    @Test("The acceptor continues after a client that disconnects before or during its response, or does not read it")
    func clientGone() throws {
        let gate = Gate()
        let server = try UnixResponder { exchange in
            if exchange.text("SAY") == "wait" { gate.wait() }
            // This is more than the kernel buffers for a peer that does not read.
            exchange.respond(
                head: [], body: [UInt8](repeating: 1, count: exchange.text("SAY") == "" ? 0 : 2_000_000))
        }
        for _ in 0..<2 { try server.client().send(request(["SAY": "wait"])) }
        gate.open()
        let reader = try server.client()
        reader.send(request(["SAY": "x"]))
        #expect(eventually { server.responder.acceptor.openConnections == 1 })
        #expect(reader.answer()?.count == 2_000_000)
        let lazy = try server.client()
        lazy.send(request(["SAY": "x"]))
        #expect(try server.client().ask(["SAY": ""], keep: false) == "")
        #expect(eventually { server.responder.acceptor.openConnections == 1 })
        #expect(lazy.answer() == nil)
        #expect(reader.ask(["SAY": ""]) == "")
    }
}

/// Bytes that nginx would not send.
struct HostileBytes: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]

    init(_ description: String, _ bytes: [UInt8]) {
        testDescription = description
        self.bytes = bytes
    }

    private static let names = (0..<200).flatMap { _ in pair("FCGI_MAX_CONNS", []) }

    /// Bytes that are invalid as soon as they arrive.
    static let wrong = [
        HostileBytes("another protocol", Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)),
        HostileBytes("zeros", [UInt8](repeating: 0, count: 64)),
        HostileBytes("FCGI_GET_VALUES", record(.getValues, pair("FCGI_MAX_CONNS", []), id: 0)),
        HostileBytes("FCGI_GET_VALUES with a name many times", record(.getValues, names, id: 0)),
        HostileBytes("a management record of an unknown type", [1, 99, 0, 0, 0, 0, 0, 0]),
        HostileBytes("another version", record(.begin, [0, 1, 1, 0, 0, 0, 0, 0], version: 2)),
        HostileBytes("another version after the first record", begin() + record(.parameters, version: 2)),
        HostileBytes("an unknown role", begin(role: 99) + stream(.parameters, []) + stream(.input, [])),
        HostileBytes("a request without a beginning", stream(.parameters, []) + stream(.input, [])),
        HostileBytes("a first record that is too short", record(.begin, [0, 1, 1])),
        HostileBytes(
            "a name longer than the remaining bytes",
            begin() + stream(.parameters, [0x80, 1, 0, 0, 1, 65]) + stream(.input, [])),
        HostileBytes("a length that breaks off", begin() + stream(.parameters, [0x80, 0]) + stream(.input, [])),
        HostileBytes("FCGI_GET_VALUES after the beginning", begin() + record(.getValues, names, id: 0)),
        HostileBytes(
            "FCGI_GET_VALUES among the parameters",
            begin() + record(.parameters, pair("SAY", [65])) + record(.getValues, names, id: 0)),
        HostileBytes(
            "FCGI_GET_VALUES in place of the body",
            begin() + stream(.parameters, pair("SAY", [65])) + record(.getValues, names, id: 0)),
        HostileBytes(
            "FCGI_GET_VALUES within the body",
            begin() + stream(.parameters, []) + record(.input, [1]) + record(.getValues, names, id: 0)),
        HostileBytes("FCGI_GET_VALUES after the request", request(["SAY": "x"]) + record(.getValues, names, id: 0)),
        HostileBytes("a beginning within the request", begin() + begin()),
        HostileBytes("another request's parameters", begin() + stream(.parameters, [], id: 2)),
        HostileBytes("an abort", begin() + record(.abort)),
        HostileBytes("a beginning with padding", record(.begin, [0, 1, 1, 0, 0, 0, 0, 0], padding: 8)),
        HostileBytes("an end of the parameters with padding", begin() + record(.parameters, padding: 8)),
        HostileBytes(
            "more parameters than nginx lets any client send",
            begin() + stream(.parameters, pair("SAY", [UInt8](repeating: 65, count: 65_536)))),
        HostileBytes("a length near 2 GB", begin() + record(.parameters, [3, 0xFF, 255, 255, 255, 65])),
        HostileBytes(
            "a length near 2 GB in a record of its own",
            begin() + stream(.parameters, [1, 0xFF, 255, 255, 255, 65], size: 1)),
        HostileBytes(
            "lengths near 2 GB",
            begin() + stream(.parameters, [0xFF, 255, 255, 255, 0xFF, 255, 255, 255, 65]) + stream(.input, [])),
    ]

    /// The beginnings of valid requests.
    static let unfinished = [
        HostileBytes("one byte", [1]),
        HostileBytes("half a header", Array(begin().prefix(4))),
        HostileBytes("a header without its content", Array(begin().prefix(8))),
        HostileBytes("half a record", Array(begin().prefix(12))),
        HostileBytes("a beginning alone", begin()),
        HostileBytes("half of the parameters", begin() + record(.parameters, pair("SAY", [65]))),
        HostileBytes("half a record of parameters", begin() + record(.parameters, pair("SAY", [65])).dropLast(3)),
        HostileBytes(
            "a record without its padding", begin() + record(.parameters, pair("SAY", [65]), padding: 9).dropLast(2)),
    ]
}

@Suite("The acceptor and invalid bytes")
struct HostileBytesTests {
    @Test("The connection is closed, and the others continue", arguments: HostileBytes.wrong)
    func wrong(example: HostileBytes) throws {
        let server = try UnixResponder(workers: 1)
        let other = try server.client()
        #expect(other.ask(["SAY": "before"]) == echoed("before"))
        for _ in 0..<3 {
            let client = try server.client()
            client.send(example.bytes)
            try #require(client.isClosed())
        }
        #expect(other.ask(["SAY": "after"]) == echoed("after"))
        #expect(eventually { server.responder.acceptor.openConnections == 1 })
    }

    @Test("A connection is also closed after valid requests", arguments: HostileBytes.wrong)
    func wrongLater(example: HostileBytes) throws {
        let server = try UnixResponder(workers: 1)
        let client = try server.client()
        #expect(client.ask(["SAY": "good"]) == echoed("good"))
        client.send(example.bytes)
        #expect(client.isClosed())
        #expect(try server.client().ask(["SAY": "after"], keep: false) == echoed("after"))
        #expect(eventually { server.responder.acceptor.openConnections == 0 })
    }

    @Test("A partial request blocks no worker, and its connection is closed after a second")
    func unfinished() throws {
        let server = try UnixResponder(workers: 1)
        let other = try server.client()
        let stalled = try HostileBytes.unfinished.map { example in
            let client = try server.client()
            client.send(example.bytes)
            return client
        }
        for _ in 0..<20 { try #require(other.ask(["SAY": "meanwhile"]) == echoed("meanwhile")) }
        for (client, example) in zip(stalled, HostileBytes.unfinished) {
            try #require(client.isClosed(), "\(example.testDescription)")
        }
        #expect(eventually { server.responder.acceptor.openConnections == 1 })
        #expect(other.ask(["SAY": "after"]) == echoed("after"))
    }

    @Test("A client that sends one byte at a time is disconnected a second after the first")
    func trickling() throws {
        let server = try UnixResponder(workers: 1)
        let client = try server.client()
        let bytes = request(["SAY": String(repeating: "slow", count: 1000)])
        let began = ContinuousClock.now
        var sent = 0
        while sent < bytes.count, client.send([bytes[sent]]) {
            sent += 1
            Thread.sleep(.milliseconds(20))
        }
        #expect(sent < bytes.count)
        #expect(began.duration(to: .now) < .seconds(30))
        #expect(client.isClosed())
    }

    @Test("The number of partial requests is limited, and complete requests are still served")
    func crowd() throws {
        let server = try UnixResponder(workers: 2)
        let crowd = try (0..<400).map { _ in try server.client() }
        for client in crowd { client.send(Array(begin().prefix(12))) }
        #expect(try server.client().ask(["SAY": "whole"], keep: false) == echoed("whole"))
        for client in crowd { try #require(client.isClosed()) }
        #expect(eventually { server.responder.acceptor.openConnections == 0 })
    }

    @Test("A request that arrives byte by byte is accepted")
    func slow() throws {
        let server = try UnixResponder()
        // A request may take a second. On a busy machine, some attempts take longer.
        let isTaken = try (0..<20).contains { _ in
            let client = try server.client()
            for byte in request(["SAY": "slow"], body: [1, 2, 3]) {
                client.send([byte])
                Thread.sleep(.microseconds(100))
            }
            return client.answer() == Array(echoed("slow").utf8)
        }
        #expect(isTaken)
    }
}
