import API

/// A request on its way in: what nginx passed on, the body still unread.
struct Incoming {
    enum Body {
        case complete([UInt8])
        case tooLarge
        case incomplete
    }

    let request: Request
    let requestID: String
    let authorization: [UInt8]?
    let origin: [UInt8]?
    /// What it asks as a preflight.
    var preflight = Preflight()
    /// Where nginx was asked from.
    let address: String?
    /// How and under which name nginx was asked, as the client has it.
    var scheme: String?
    var host: String?
    /// Reads at most so many bytes of the body.
    let body: (_ limit: Int) -> Body
    /// When nginx handed it over, in seconds since 1970, where it says so.
    var handedOver: Double?
}
