import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Reads the only request of a connection, and answers it or begins its stream.
final class OpeningHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let loop: StreamLoop
    private var head: HTTPRequestHead?
    private var bodyBytes = 0
    private var isAsked = false
    private var handshake: HTTPHeaders?
    private var context: ChannelHandlerContext?
    /// The tick at which the connection is closed unless a stream has begun.
    private(set) var closesAt: Int

    /// nginx allows as much (nginx/snippets/limits/limits.conf), and adds headers of its own.
    static let limits = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 40 * 1024
        limits.maxHeaderListSize = 40 * 1024
        limits.maxHeaderFieldCount = 200
        return limits
    }()
    private static let mostOfBody = 64 * 1024
    private static let ticksToArrive = 10
    private static let ticksToAnswer = 30

    init(_ loop: StreamLoop) {
        self.loop = loop
        closesAt = loop.hub.ticks + Self.ticksToArrive
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        loop.accepted(self)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.gone(self)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A connection has one request. Further ones are not read.
        guard !isAsked else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > Self.mostOfBody { close() }
        case .end: ask()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func closeIfLate(_ tick: Int) { if closesAt <= tick { close() } }

    func close() { context?.close(promise: nil) }

    // MARK: The answer

    private func ask() {
        guard let head, let context else { return close() }
        isAsked = true
        closesAt = loop.hub.ticks + Self.ticksToAnswer
        // What the client of a WebSocket sends early waits in the socket.
        context.channel.setOption(ChannelOptions.autoRead, value: false).assumeIsolated().whenFailure { [self] _ in
            close()
        }
        guard Self.asksForWebSocket(head) else { return ask(StreamRequest(head, .events, isHandshakeValid: true)) }
        Self.handshake.buildUpgradeResponse(
            channel: context.channel, upgradeRequest: head, initialResponseHeaders: HTTPHeaders()
        ).assumeIsolated().whenComplete { [self] result in
            // A handshake without the header Connection is none (RFC 6455 section 4.2.1).
            let isUpgrade = head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            if isUpgrade, Self.hasKey(head), case .success(let headers) = result { handshake = headers }
            ask(StreamRequest(head, .webSocket, isHandshakeValid: handshake != nil))
        }
    }

    private func ask(_ request: StreamRequest) {
        loop.open(request) { [self] response in answer(response, request) }
    }

    private func answer(_ response: StreamResponse, _ request: StreamRequest) {
        guard let context else { return }
        let start = request.method == "HEAD" ? nil : response.start
        let isWebSocket = start != nil && request.transport == .webSocket
        var bytes = ByteBuffer()
        bytes.writeHead(of: response, isStream: response.start != nil, switching: isWebSocket ? handshake : nil)
        if start == nil, request.method != "HEAD" { bytes.writeBytes(response.body) }
        guard let start else {
            let sent = context.eventLoop.makePromise(of: Void.self)
            sent.futureResult.assumeIsolated().whenComplete { [self] _ in close() }
            context.channel.writeAndFlush(bytes, promise: sent)
            return
        }
        context.channel.write(bytes, promise: nil)
        do {
            try begin(start, request.transport, context)
        } catch {
            close()
        }
    }

    /// Replaces the handlers of HTTP by those of the stream.
    private func begin(
        _ start: StreamStart, _ transport: StreamRequest.Transport, _ context: ChannelHandlerContext
    ) throws {
        let (channel, pipeline) = (context.channel, context.pipeline.syncOperations)
        let handler = StreamHandler(loop, transport)
        if transport == .webSocket {
            let decoder = WebSocketFrameDecoder(maxFrameSize: StreamHandler.longestMessage)
            try pipeline.addHandler(ByteToMessageHandler(decoder))
        }
        try pipeline.addHandler(handler)
        loop.gone(self)
        handler.begin(start)
        let decoder = try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self)
        // This handler leaves first, so that the decoder's remaining bytes go to the stream's handler.
        pipeline.removeHandler(context: context, promise: nil)
        pipeline.removeHandler(context: decoder, promise: nil)
        channel.setOption(ChannelOptions.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
    }

    private static func asksForWebSocket(_ head: HTTPRequestHead) -> Bool {
        // HTTP/1.0 has no Upgrade (RFC 9110 section 7.8).
        head.method == .GET && head.version == .http1_1
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// True if the key is 16 bytes in base64 (RFC 6455 section 4.1).
    private static func hasKey(_ head: HTTPRequestHead) -> Bool {
        guard let key = head.headers.first(name: "Sec-WebSocket-Key")?.utf8, key.count == 24 else { return false }
        return key.suffix(2).elementsEqual("==".utf8) && key.dropLast(2).allSatisfy(Self.base64.contains)
    }

    private static let base64 = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Only checks the handshake's headers and computes the answer to its key.
    private static let handshake = NIOWebSocketServerUpgrader(
        shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
        upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
}

extension StreamRequest {
    init(_ head: HTTPRequestHead, _ transport: Transport, isHandshakeValid: Bool) {
        self.init(
            method: head.method.rawValue, target: Array(head.uri.utf8),
            headers: head.headers.map { ($0.name, $0.value) }, transport: transport,
            isHandshakeValid: isHandshakeValid)
    }
}

extension ByteBuffer {
    /// Writes the head of a response (RFC 9112 section 4).
    ///
    /// - Parameters:
    ///   - isStream: whether an event stream follows, which ends with the connection.
    ///   - switching: the headers of a WebSocket's handshake, which make it a 101.
    mutating func writeHead(of response: StreamResponse, isStream: Bool, switching: HTTPHeaders?) {
        if let switching {
            writeString("HTTP/1.1 101 Switching Protocols\r\n")
            for (name, value) in switching { writeString("\(name): \(value)\r\n") }
        } else {
            writeString("HTTP/1.1 \(response.status) \(response.reason)\r\nConnection: close\r\n")
            if !isStream, response.status != 204 { writeString("Content-Length: \(response.body.count)\r\n") }
        }
        for (name, value) in response.headers where switching == nil || name != "Content-Type" {
            writeString("\(name): \(value)\r\n")
        }
        writeString("\r\n")
    }
}
