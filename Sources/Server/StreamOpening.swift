import API
import JWT
import Live

/// A live stream that a request asks for, while the pipeline checks the request.
final class StreamOpening {
    let isWebSocket: Bool
    private let isHandshakeValid: Bool
    private let places: StreamPlaces
    private(set) var claims: Claims?
    private(set) var place: StreamPlace?

    init(isWebSocket: Bool, isHandshakeValid: Bool, places: StreamPlaces) {
        (self.isWebSocket, self.isHandshakeValid, self.places) = (isWebSocket, isHandshakeValid, places)
    }

    /// A page of another site could open a WebSocket, since browsers apply no CORS to it.
    ///
    /// - Throws: a 403 unless the page's origin is allowed or has the host of the request. A program sends no origin.
    func checkOrigin(of incoming: Incoming, _ cors: CORS) throws(Problem) {
        guard isWebSocket, let origin = incoming.origin, !cors.allows(origin) else { return }
        guard let host = incoming.host, Self.isSameHost(origin, host) else { throw .originNotAllowed }
    }

    /// Compares the host and the port of an origin with the header Host, in any case (RFC 9110 section 4.2.3).
    private static func isSameHost(_ origin: [UInt8], _ host: String) -> Bool {
        let text = String(decoding: origin, as: UTF8.self)
        guard let mark = text.firstRange(of: "://") else { return false }
        return text[mark.upperBound...].lowercased().utf8.elementsEqual(host.lowercased().utf8)
    }

    /// - Throws: a 429 if the subject has as many streams as it may have.
    func admit(_ claims: Claims) throws(Problem) {
        self.claims = claims
        place = places.take(subject: claims.subject)
        guard place != nil else { throw .tooManyStreams(limit: StreamPlaces.mostOfSubject) }
    }

    /// - Throws: a 400 if the request for a WebSocket lacks a header.
    func checkHandshake() throws(Problem) {
        guard isHandshakeValid else { throw .handshakeMalformed }
    }

    /// - Throws: a 503 if the process has as many streams as it may have.
    func checkLimit() throws(Problem) {
        guard let place, place.takeOfProcess() else {
            throw .streamsAtLimit(limit: StreamPlaces.mostOfProcess)
        }
    }
}
