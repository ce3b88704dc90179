import Testing
import Threads

@testable import FastCGI

@Suite("An exchange")
struct ExchangeTests {
    @Test("Parameters are returned unchanged, including long, empty and non-UTF-8 ones")
    func parameters() throws {
        let seen = Monitor<[[UInt8]?]>([])
        let texts = Monitor<[String?]>([])
        let server = try UnixResponder { exchange in
            let names: [StaticString] = ["SHORT", "LONG", "HUGE", "EMPTY", "BYTES", "ABSENT", "SHOR", "FCGI_ROLE"]
            seen.withLock { $0 = names.map { exchange.parameter($0) } }
            texts.withLock { $0 = ["SHORT", "BYTES", "ABSENT", "SCRIPT"].map { exchange.text($0) } }
        }
        let long = [UInt8](repeating: 7, count: 128)
        let huge = (0..<60_000).map { UInt8($0 % 255 + 1) }
        let pairs =
            pair("SHORT", Array("a=b".utf8)) + pair("LONG", long) + pair("HUGE", huge) + pair("EMPTY", [])
            + pair("BYTES", [0xFF, 0xC3]) + pair("SCRIPT", Array("Ōtaki".utf8))
        // A record may end anywhere, even inside a length or a name.
        for size in [1, 3, 8191, 65_535] {
            let client = try server.client()
            client.send(begin() + stream(.parameters, pairs, size: size, padding: 3) + stream(.input, []))
            try #require(client.answer() == [])
            #expect(
                seen.withLock { $0 }
                    == [Array("a=b".utf8), long, huge, [], [0xFF, 0xC3], nil, nil, Array("RESPONDER".utf8)])
            #expect(texts.withLock { $0 } == ["a=b", nil, nil, "Ōtaki"])
        }
    }

    @Test("A header that was sent twice is one list, without headers whose names only begin alike")
    func repeatedHeader() throws {
        let server = try UnixResponder()
        let client = try server.client()
        #expect(client.ask(["SAY": "a", "SAYS": "x", "SAY": "b", "SA": "y", "SAY": ""]) == echoed("a, b, "))
        #expect(client.ask(["SAYS": "x", "say": "y", "XSAY": "z"]) == echoed(""))
    }

    @Test(
        "A body up to the limit is complete, and a longer one is too large",
        arguments: [0, 1, 8192, 65_536, Exchange.longestBody])
    func limit(limit: Int) throws {
        let seen = Monitor<Exchange.Body?>(nil)
        let server = try UnixResponder { exchange in
            let body = exchange.body(limit: limit)
            seen.withLock { $0 = body }
        }
        let client = try server.client()
        let body = (0...limit).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for size in [1000, 65_535] {
            client.send(begin() + stream(.parameters, []) + stream(.input, body.dropLast(), size: size, padding: 1))
            try #require(client.answer() == [])
            #expect(seen.withLock { $0 } == .complete(body.dropLast()))
            client.send(begin() + stream(.parameters, []) + stream(.input, body, size: size, padding: 1))
            try #require(client.answer() == [])
            #expect(seen.withLock { $0 } == .tooLarge)
        }
    }

    @Test("An incomplete body causes no request, and its connection is closed")
    func incomplete() throws {
        let server = try UnixResponder()
        let head = begin() + stream(.parameters, [])
        let whole = stream(.input, Array("body".utf8))
        let stalled = try server.client()
        stalled.send(head + whole.prefix(10))
        #expect(stalled.isClosed())
        let gone = try server.client()
        gone.send(head + whole.dropLast(8))
        gone.endSending()
        #expect(gone.isClosed())
        #expect(eventually { server.responder.acceptor.openConnections == 0 })
        #expect(try server.client().ask() == echoed(""))
    }

    @Test("An unused body is skipped, so that its connection can be reused")
    func unread() throws {
        let server = try UnixResponder()
        let client = try server.client()
        for count in [1, 65_536, 1_000_000] {
            try #require(
                client.ask(["SAY": "\(count)"], body: [UInt8](repeating: 1, count: count)) == echoed("\(count)"))
        }
        #expect(server.responder.acceptor.openConnections == 1)
    }

    @Test("No part of a body is taken for a request, however long the body is")
    func endless() throws {
        let server = try UnixResponder { exchange in
            #expect(exchange.body(limit: .max) == .tooLarge)
            echo(exchange)
        }
        let client = try server.client()
        // Each multiple of libfcgi's buffer, where it stops reading, is the beginning of a request.
        let hidden = request(["SAY": String(repeating: "!", count: 19)])
        let head = begin() + stream(.parameters, pair("SAY", [UInt8](repeating: 65, count: 27)))
        try #require(hidden.count == 64 && head.count == 64)
        let content = [UInt8](repeating: 0, count: 56) + (0..<1023).flatMap { _ in hidden }
        for _ in 0..<2 {
            client.send(head + (0..<40).flatMap { _ in record(.input, content) } + record(.input))
            try #require(client.answer() == Array(echoed(String(repeating: "A", count: 27)).utf8))
        }
        #expect(server.responder.acceptor.openConnections == 1)
    }

    @Test("A response of any length, with a head of any length, is sent completely")
    func lengths() throws {
        let bytes = (0..<1_100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        let server = try UnixResponder { exchange in
            guard let head = exchange.text("HEAD").flatMap({ Int($0) }),
                let all = exchange.text("ALL").flatMap({ Int($0) })
            else { return }
            exchange.respond(head: Array(bytes[..<head]), body: Array(bytes[head..<all]))
        }
        let client = try server.client()
        for all in [0, 1, 7, 8, 9, 65_527, 65_528, 65_529, 65_536, 131_056, 131_057, 200_000, 1_100_000] {
            for head in [0, 1, 65_528, all] where head <= all && (all < 1_000_000 || head == 1) {
                client.send(request(["HEAD": "\(head)", "ALL": "\(all)"]))
                try #require(client.answer() == Array(bytes[..<all]), "\(head) of \(all)")
            }
        }
    }

    @Test("Every record of the response has the id of its request")
    func number() throws {
        let server = try UnixResponder()
        let client = try server.client()
        client.send(request(["SAY": "x"], id: 258))
        #expect(client.answer(id: 258) == Array(echoed("x").utf8))
    }

    @Test("A request without an explicit response gets an empty one")
    func empty() throws {
        let server = try UnixResponder { _ in }
        #expect(try server.client().ask() == "")
    }

    @Test("Only the first response is sent, and the request then has no parameters")
    func answeredTwice() throws {
        let server = try UnixResponder { exchange in
            echo(exchange)
            #expect(exchange.parameter("SAY") == nil)
            exchange.respond(head: [], body: [1, 2, 3])
        }
        let client = try server.client()
        for round in 0..<10 { try #require(client.ask(["SAY": "\(round)"]) == echoed("\(round)")) }
        #expect(server.responder.acceptor.openConnections == 1)
    }
}
