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
    /// The server's own id of the request, which no caller chooses.
    let serverRequestID = RequestID.random()
    /// Whether it says that a timer asks and no person; that only marks its entry of the
    /// audit.
    var isAutomatic = false
    let authorization: [UInt8]?
    let origin: [UInt8]?
    /// What it asks as a preflight.
    var preflight = Preflight()
    /// Where nginx was asked from.
    let address: String?
    /// Whether a header that is not read is longer than ``Pipeline/headerLimit``.
    var hasLongHeader = false
    /// Whether a proxy before nginx says that it passes the request on.
    var isPassedOn = false
    /// How and under which name nginx was asked, as the client has it.
    var scheme: String?
    var host: String?
    /// How many bytes of it are kept at most, about.
    var size = 0
    /// Reads at most so many bytes of the body.
    let body: (_ limit: Int) -> Body
    /// When nginx handed it over, in seconds since 1970, where it says so.
    var handedOver: Double?
}

extension Incoming {
    /// Whether a program on nginx's own machine asks, and not a proxy there that passes on what others ask: such a one
    /// says so in a header, or keeps the name that it was asked under (nginx/snippets/security/passed-on.conf).
    var isFromThisMachine: Bool {
        guard let address, !isPassedOn, Self.isLoopback(address) else { return false }
        guard let name = host?.split(separator: ":", omittingEmptySubsequences: false), let first = name.first else {
            return true
        }
        return host?.hasPrefix("[::1]") == true
            || name.count <= 2 && (first == "localhost" || Self.isLoopback(String(first)))
    }

    /// By its digits: a name may begin with 127 too.
    private static func isLoopback(_ address: String) -> Bool {
        let mapped = "::ffff:"
        let plain = address.hasPrefix(mapped) ? address.dropFirst(mapped.count) : address[...]
        return plain == "::1"
            || plain.hasPrefix("127.") && plain.utf8.allSatisfy { (0x2E...0x39).contains($0) && $0 != 0x2F }
    }
}
