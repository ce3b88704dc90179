import NIOCore
import NIOWebSocket

/// The only handler of an open event stream, and the last one of an open WebSocket.
final class StreamHandler: ChannelInboundHandler, Outlet {
    // An event stream receives bytes, which are ignored.
    typealias InboundIn = WebSocketFrame

    private enum State {
        case open
        /// The last bytes have been written.
        case ending
    }

    private let loop: StreamLoop
    private let transport: StreamRequest.Transport
    private var stream: Stream?
    private var context: ChannelHandlerContext?
    private var state = State.open
    /// The first parts of a message in several frames.
    private var fragments: [UInt8]?
    private var isRenewing = false
    /// A token that arrived while another was verified.
    private var waitingToken: [UInt8]?
    /// The tick at which the connection is closed although bytes are unsent.
    private(set) var closesAt: Int?
    /// The ticks at which the client of a WebSocket was last heard, and asked for a sign of life.
    private var heardAt: Int
    private var pingedAt = 0

    /// The most bytes of a message from a client.
    static let longestMessage = 16 * 1024
    private static let ticksToClose = 3
    /// A slow client has this time to read what is unsent, and the last message after it.
    private static let ticksToCloseIfSlow = 15
    /// nginx keeps a connection whose client has gone without a word for many minutes, and its place with it. The client
    /// of a WebSocket answers a ping (RFC 6455 section 5.5.2).
    private static let ticksBetweenPings = 60
    private static let mostTicksOfSilence = 300

    init(_ loop: StreamLoop, _ transport: StreamRequest.Transport) {
        (self.loop, self.transport) = (loop, transport)
        heardAt = loop.hub.ticks
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Begins the stream.
    func begin(_ start: StreamStart) {
        let stream = Stream(start, transport, outlet: self, tick: loop.hub.ticks)
        self.stream = stream
        loop.began(self, transport)
        loop.join(stream, start)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let stream { loop.hub.leave(stream) }
        if stream != nil { loop.ended(self, transport) }
        stream = nil
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let stream, !stream.isLevel { loop.askForReplays() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard transport == .webSocket else { return }
        heardAt = loop.hub.ticks
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .connectionClose: answerClose(frame)
        case _ where state == .ending: break
        case _ where frame.maskKey == nil || frame.rsv1 || frame.rsv2 || frame.rsv3: refuse()
        case .ping where frame.fin && frame.length <= 125: answerPing(frame)
        case .pong: break
        case .text, .continuation: take(frame)
        default: refuse()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard transport == .webSocket, error is NIOWebSocketError else { return context.close(promise: nil) }
        refuse()
    }

    /// Closes the connection if its last bytes could not be sent in time, or if its client is silent.
    func check(_ tick: Int) {
        if let closesAt {
            if closesAt <= tick { close() }
            return
        }
        guard transport == .webSocket, tick - heardAt >= Self.ticksBetweenPings else { return }
        guard tick - heardAt < Self.mostTicksOfSilence else { return close() }
        guard tick - pingedAt >= Self.ticksBetweenPings else { return }
        pingedAt = tick
        write(WebSocketBytes.frame(.ping, []))
        flush()
    }

    /// Closes the connection at once.
    func close() { context?.close(promise: nil) }
}

// MARK: Sending

extension StreamHandler {
    var unsent: Int {
        guard let context else { return 0 }
        do {
            return try context.channel.syncOptions?.getOption(ChannelOptions.bufferedWritableBytes) ?? 0
        } catch {
            // The channel is closed, and has no bytes to send.
            return 0
        }
    }

    func write(_ buffer: ByteBuffer) {
        guard let context, state == .open else { return }
        context.write(NIOAny(buffer), promise: nil)
    }

    func flush() { context?.flush() }

    func end(_ last: Frame, _ reason: Message.EndReason) {
        let ticks = reason == .tooSlow ? Self.ticksToCloseIfSlow : Self.ticksToClose
        guard transport == .webSocket else { return finish(last.event, thenClose: true, within: ticks) }
        write(last.text)
        let code = reason == .shuttingDown ? WebSocketBytes.CloseCode.goingAway : .policyViolation
        finish(WebSocketBytes.close(code), thenClose: false, within: ticks)
    }

    /// Writes the last bytes. The client of a WebSocket closes after it, or is closed after a while.
    private func finish(_ bytes: ByteBuffer, thenClose: Bool, within ticks: Int = ticksToClose) {
        guard let context, state == .open else { return }
        state = .ending
        closesAt = loop.hub.ticks + ticks
        if let stream { loop.hub.leave(stream) }
        let sent = context.eventLoop.makePromise(of: Void.self)
        if thenClose { sent.futureResult.assumeIsolated().whenComplete { [self] _ in close() } }
        context.writeAndFlush(NIOAny(bytes), promise: sent)
    }

    /// Closes a WebSocket whose client sent what it may not send.
    private func refuse() { finish(WebSocketBytes.close(.policyViolation), thenClose: false) }

    private func answerClose(_ frame: WebSocketFrame) {
        guard state == .open else { return close() }
        let code = frame.unmaskedData.readableBytesView.prefix(2)
        finish(WebSocketBytes.frame(.close, code.count == 2 ? Array(code) : []), thenClose: true)
    }

    private func answerPing(_ frame: WebSocketFrame) {
        guard unsent < Stream.mostUnsent else { return }
        write(WebSocketBytes.frame(.pong, frame.unmaskedData.readableBytesView))
        flush()
    }
}

// MARK: Renewal of the token

extension StreamHandler {
    private func take(_ frame: WebSocketFrame) {
        guard (frame.opcode == .continuation) == (fragments != nil) else { return refuse() }
        let message = (fragments ?? []) + frame.unmaskedData.readableBytesView
        guard message.count <= Self.longestMessage else { return refuse() }
        fragments = frame.fin ? nil : message
        guard frame.fin else { return }
        guard let token = TokenMessage.token(in: message) else { return refuse() }
        renew(token)
    }

    private func renew(_ token: [UInt8]) {
        guard !isRenewing else {
            waitingToken = token
            return
        }
        isRenewing = true
        loop.verify(token) { [self] credential in
            isRenewing = false
            guard state == .open, let stream else { return }
            guard let credential, stream.credential.mayBecome(credential) else { return refuse() }
            stream.credential = credential
            if let next = waitingToken {
                waitingToken = nil
                renew(next)
            }
        }
    }
}
