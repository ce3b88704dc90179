/// The OpenAPI document.
public enum OpenAPI {
    private static let document = PackageResources.openapi_json
    private static let anyServer = Array(#""url": "/""#.utf8)

    /// The document. If the address of the request is known, it is the document's server.
    ///
    /// A client generated from a saved copy would resolve a relative address to `localhost`.
    ///
    /// - Parameters:
    ///   - scheme: `http` or `https`.
    ///   - host: the request's Host header, as the client sent it.
    public static func response(scheme: String?, host: String?) -> Response {
        var body = document
        if let scheme, let host, ["http", "https"].contains(scheme), isHost(host), let place = place(of: anyServer) {
            body.replaceSubrange(place, with: #""url": "\#(scheme)://\#(host)""#.utf8)
        }
        return Response(status: 200, contentType: "application/json", body: body)
    }

    private static func place(of bytes: [UInt8]) -> Range<Int>? {
        // A linear search is enough, since the server's entry is near the beginning.
        document.indices.first { document[$0...].starts(with: bytes) }.map { $0..<$0 + bytes.count }
    }

    /// True for a name or an address, with or without a port. It needs no escaping in JSON.
    private static func isHost(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"):
                    true
                default: ".-:[]".utf8.contains(byte)
                }
            }
    }
}
