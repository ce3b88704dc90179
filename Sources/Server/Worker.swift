import API
import FastCGI
import Glibc
import JSON

/// The loop of one thread: it reads a request, processes it and sends the response.
///
/// Any thread reads requests. At most as many requests use the database as there are permits (``WaitingRequests``). A
/// thread with a permit processes the waiting requests before it reads another one.
struct Worker: Sendable {
    let acceptor: Acceptor
    let pipeline: Pipeline
    let waiting: WaitingRequests
    let metrics: Metrics

    /// Returns after the acceptor has stopped.
    func run() {
        while let exchange = acceptor.accept(between: refuseLate) { serve(exchange) }
        waiting.close().forEach(refuse)
    }

    private func serve(_ exchange: Exchange) {
        let started = ContinuousClock.now
        metrics.requestBegan()
        let incoming = Incoming(exchange)
        let isHead = incoming.request.method == "HEAD"
        let pending = pipeline.begin(incoming, started: started) { exchange.respond($0, isHead: isHead) }
        guard let pending else { return metrics.requestEnded() }
        let request = WaitingRequests.Entry(exchange, pending, isHead: isHead)
        switch waiting.admit(request, started: started) {
        case .granted: finish(request)
        case .waits: break
        case .refused: refuse(request)
        }
    }

    /// Processes a request that has a permit, and then the waiting ones.
    private func finish(_ request: WaitingRequests.Entry) {
        var next: WaitingRequests.Entry? = request
        while let request = next {
            pipeline.finish(request.pending) { request.exchange.respond($0, isHead: request.isHead) }
            metrics.requestEnded()
            next = waiting.next()
        }
    }

    private func refuseLate() { waiting.takeLate().forEach(refuse) }

    private func refuse(_ request: WaitingRequests.Entry) {
        pipeline.refuse(request.pending) { request.exchange.respond($0, isHead: request.isHead) }
        metrics.requestEnded()
    }
}

extension Exchange {
    fileprivate func respond(_ response: Response, isHead: Bool) {
        respond(head: response.head, body: isHead ? [] : response.body)
    }
}

extension Incoming {
    init(_ exchange: Exchange) {
        request = Request(
            method: exchange.text("REQUEST_METHOD") ?? "", target: exchange.parameter("REQUEST_URI") ?? [],
            contentType: exchange.text("CONTENT_TYPE"), contentEncoding: exchange.parameter("HTTP_CONTENT_ENCODING"),
            idempotencyKey: exchange.parameter("HTTP_IDEMPOTENCY_KEY"),
            repeatedHeaders: SingleHeader.allCases.filter(exchange.repeats))
        requestID = RequestID.from(exchange.parameter("HTTP_X_REQUEST_ID"))
        // The dashboard page sends this header (pages/dashboard/js/api.js). Requests of other clients that send it are
        // recorded too.
        isAutomatic = exchange.text("HTTP_X_ASKED_BY") == "timer"
        authorization = exchange.parameter("HTTP_AUTHORIZATION")
        origin = exchange.parameter("HTTP_ORIGIN")
        if request.method == "OPTIONS" {
            preflight = Preflight(
                requestedHeaders: exchange.parameter("HTTP_ACCESS_CONTROL_REQUEST_HEADERS"),
                privateNetwork: exchange.parameter("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK"))
        }
        forwardedAt = exchange.text("REQUEST_MSEC").flatMap { Double($0) }
        address = exchange.text("REMOTE_ADDR")
        // Headers that the server reads have their own rules. Over HTTP/2, nginx joins all cookies into one header.
        hasLongHeader = exchange.hasHeader(
            longerThan: Pipeline.headerLimit,
            except: [
                "HTTP_AUTHORIZATION", "HTTP_IDEMPOTENCY_KEY", "HTTP_ORIGIN", "HTTP_X_REQUEST_ID", "HTTP_CONTENT_TYPE",
                "HTTP_CONTENT_ENCODING", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "HTTP_COOKIE",
            ])
        // By default, nginx's proxy_pass uses HTTP/1.0 and adds none of these headers. A proxy is recognized by either.
        isForwarded =
            exchange.text("SERVER_PROTOCOL") == "HTTP/1.0"
            || [
                "HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO",
                "HTTP_X_REAL_IP",
                "HTTP_VIA",
            ].contains { exchange.count(of: $0) > 0 }
        scheme = exchange.text("REQUEST_SCHEME")
        host = exchange.text("HTTP_HOST")
        size =
            4096 + 2 * (exchange.parameter("REQUEST_URI")?.count ?? 0) + (authorization?.count ?? 0)
            + min(max(0, exchange.text("CONTENT_LENGTH").flatMap { Int($0) } ?? 0), Pipeline.bodyLimit)
        body = { limit in
            switch exchange.body(limit: limit) {
            case .complete(let bytes): .complete(bytes)
            case .tooLarge: .tooLarge
            case .incomplete: .incomplete
            }
        }
    }
}

extension Exchange {
    /// True if a header was sent more than once. nginx joins such lines from 1.23 on. A value with a comma and a blank
    /// in it looks joined, so it is refused too.
    fileprivate func repeats(_ header: SingleHeader) -> Bool {
        let name = header.parameter
        guard count(of: name) <= 1 else { return true }
        return joinsHeaders && parameter(name).map { String(decoding: $0, as: UTF8.self).contains(", ") } ?? false
    }

    private var joinsHeaders: Bool {
        guard let version = text("SERVER_SOFTWARE")?.split(separator: "/").last?.split(separator: "."),
            version.count > 1,
            let major = Int(version[0]), let minor = Int(version[1])
        else { return false }
        return (major, minor) >= (1, 23)
    }
}

extension SingleHeader {
    /// The name of nginx's parameter.
    fileprivate var parameter: StaticString {
        switch self {
        case .contentType: "HTTP_CONTENT_TYPE"
        case .idempotencyKey: "HTTP_IDEMPOTENCY_KEY"
        case .origin: "HTTP_ORIGIN"
        }
    }
}

extension Response {
    /// The header block in CGI's format (RFC 3875 section 6.2).
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
