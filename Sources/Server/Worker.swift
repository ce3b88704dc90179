import API
import FastCGI
import Glibc
import JSON

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
            exchange.answer(head: response.head, body: incoming.request.method == "HEAD" ? [] : response.body)
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
        if request.method == "OPTIONS" {
            preflight = Preflight(
                requestedHeaders: exchange.parameter("HTTP_ACCESS_CONTROL_REQUEST_HEADERS"),
                privateNetwork: exchange.parameter("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK"))
        }
        handedOver = exchange.text("REQUEST_MSEC").flatMap { Double($0) }
        address = exchange.text("REMOTE_ADDR")
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
        var head = ByteBuffer(capacity: 640)
        head.append("Status: ")
        head.append(number: status)
        head.append(" ")
        head.append(text: reasonPhrase(status))
        if let contentType {
            head.append("\r\nContent-Type: ")
            head.append(text: contentType)
            head.append("\r\nContent-Length: ")
            head.append(number: body.count)
        }
        for header in headers {
            head.append("\r\n")
            head.append(text: header.name)
            head.append(": ")
            head.append(text: header.value)
        }
        head.append("\r\n\r\n")
        return head.bytes
    }
}
