import API
import FastCGI
import Glibc

/// One thread's loop: take a request, have it answered, send the answer.
struct Worker: Sendable {
    let acceptor: Acceptor
    let pipeline: Pipeline
    let metrics: Metrics

    /// Returns once the acceptor has stopped.
    func run() {
        while let exchange = acceptor.accept() {
            metrics.whileBusy { serve(exchange) }
        }
    }

    private func serve(_ exchange: Exchange) {
        let started = ContinuousClock.now
        let incoming = Incoming(exchange)
        pipeline.serve(incoming, started: started) { response in
            exchange.send(response.head)
            if incoming.request.method != "HEAD" { exchange.send(response.body) }
            exchange.finish()
        }
    }
}

extension Incoming {
    init(_ exchange: Exchange) {
        request = Request(
            method: exchange.text("REQUEST_METHOD") ?? "", target: exchange.parameter("REQUEST_URI") ?? [],
            contentType: exchange.text("CONTENT_TYPE"), idempotencyKey: exchange.parameter("HTTP_IDEMPOTENCY_KEY"))
        requestID = RequestID.from(exchange.parameter("HTTP_X_REQUEST_ID"))
        authorization = exchange.parameter("HTTP_AUTHORIZATION")
        origin = exchange.parameter("HTTP_ORIGIN")
        body = { limit in
            switch exchange.body(limit: limit) {
            case .complete(let bytes): .complete(bytes)
            case .tooLarge: .tooLarge
            case .incomplete: .incomplete
            }
        }
    }
}

extension Response {
    /// The head in CGI's form (RFC 3875 section 6.2).
    fileprivate var head: [UInt8] {
        var text = "Status: \(status) \(reasonPhrase(status))\r\n"
        if let contentType { text += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n" }
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }
}
