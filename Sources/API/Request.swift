import Text

/// A parsed HTTP request: method, path, parameters and headers, before validation.
///
/// The router needs no more than this. The server's `Incoming` adds the values that nginx sends, such as the address.
/// A ``Call`` is the request of an authenticated client, with its body.
public struct Request: Sendable {
    /// The method as sent. It is case-sensitive (RFC 9110 section 9.1).
    public let method: String
    /// The segments of the path, split first and then percent-decoded. Nil if no route can have this path.
    public let path: [String]?
    public let parameters: QueryParameters
    public let contentType: String?
    /// The values of all Content-Encoding headers, joined. Nil if there is none.
    public let contentEncoding: [UInt8]?
    public let idempotencyKey: [UInt8]?
    /// The number after which a stream begins (WHATWG HTML, section 9.2.4).
    public let lastEventID: [UInt8]?
    /// Headers that were sent more than once although one is allowed, so that their value is ambiguous.
    public let repeatedHeaders: [SingleHeader]

    /// - Parameter target: the request target in origin form, as raw bytes: nginx's `$request_uri`.
    public init(
        method: String, target: [UInt8], contentType: String? = nil, contentEncoding: [UInt8]? = nil,
        idempotencyKey: [UInt8]? = nil, lastEventID: [UInt8]? = nil, repeatedHeaders: [SingleHeader] = []
    ) {
        self.method = method
        let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        path = Self.segments(of: target[..<end])
        parameters = QueryParameters(target[end...].dropFirst())
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.idempotencyKey = idempotencyKey
        self.lastEventID = lastEventID
        self.repeatedHeaders = repeatedHeaders
    }

    /// True if the header Content-Type was not sent, or is empty.
    public var hasNoContentType: Bool { contentType?.isEmpty ?? true && !repeatedHeaders.contains(.contentType) }

    /// True if the content type is `application/json`, with any parameters (RFC 9110 section 8.3).
    public var hasJSONBody: Bool {
        contentType.map { isWord(Array($0.utf8).prefix { $0 != UInt8(ascii: ";") }, "application/json") } ?? false
    }

    /// True if the body is not encoded: each listed coding is `identity` (RFC 9110 section 8.4).
    public var isBodyPlain: Bool {
        guard let contentEncoding else { return true }
        return contentEncoding.split(separator: UInt8(ascii: ",")).allSatisfy {
            isWord($0, "identity") || isWord($0, "")
        }
    }

    /// - Throws: a 422 for headers that were sent more than once.
    public func checkHeaders() throws(Problem) {
        guard !repeatedHeaders.isEmpty else { return }
        throw .unprocessable(
            repeatedHeaders.map { FieldError(field: $0.rawValue, message: SingleHeader.message) }, .badField)
    }

    /// Splits and decodes a path. Nil if no route can match it.
    ///
    /// No route matches an empty segment (a trailing or doubled slash), bytes that are not UTF-8, or U+0000, which
    /// PostgreSQL's `text` cannot contain.
    private static func segments(of path: ArraySlice<UInt8>) -> [String]? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        var segments: [String] = []
        segments.reserveCapacity(8)
        var rest = path.dropFirst()
        while true {
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            guard let bytes = percentDecoded(rest[..<end], plusIsSpace: false), !bytes.contains(0), !bytes.isEmpty,
                let segment = String(utf8: bytes)
            else { return nil }
            segments.append(segment)
            guard end < rest.endIndex else { return segments }
            rest = rest[(end + 1)...]
        }
    }
}

/// A header that the server reads and that a request may contain only once (RFC 9110 section 5.3).
public enum SingleHeader: String, Sendable, CaseIterable {
    case contentType = "Content-Type"
    case idempotencyKey = "Idempotency-Key"
    case origin = "Origin"

    static let message = "is given more than once; give it once"
}

/// The parameters of a query string, in order and including repeated ones.
public struct QueryParameters: Sendable {
    private let items: [(name: ArraySlice<UInt8>, value: String?)]

    /// Parses `application/x-www-form-urlencoded`, the format of browsers' `URLSearchParams`.
    init(_ query: ArraySlice<UInt8>) {
        items = query.split(separator: UInt8(ascii: "&")).compactMap { item in
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0], plusIsSpace: true) else { return nil }
            let value = parts.count > 1 ? percentDecoded(parts[1], plusIsSpace: true) : []
            return (name, value.flatMap { $0.contains(0) ? nil : String(utf8: $0) })
        }
    }

    /// The only value of a parameter. Nil if the parameter is absent.
    ///
    /// An empty or repeated value, or one that is not text, is an error, because its meaning is ambiguous.
    func value(of name: StaticString, _ errors: inout FieldErrors) -> String? {
        let found = items.filter { $0.name.elementsEqual("\(name)".utf8) }
        guard let first = found.first else { return nil }
        guard found.count == 1 else {
            errors.add(name, "is given \(found.count) times; give it once")
            return nil
        }
        guard let value = first.value else {
            errors.add(name, "is not percent-encoded UTF-8 text")
            return nil
        }
        guard !value.isEmpty else {
            errors.add(name, "is empty; leave it out for the default")
            return nil
        }
        return value
    }
}

/// True if the bytes are `word` in any case, with any blanks around it.
private func isWord(_ bytes: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
    let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    let trimmed = bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
    return trimmed.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }.elementsEqual(
        "\(word)".utf8)
}

/// Decodes `%XX`. Nil if a percent sign is not followed by two hexadecimal digits.
private func percentDecoded(_ text: ArraySlice<UInt8>, plusIsSpace: Bool) -> ArraySlice<UInt8>? {
    let isAsItIs = text.allSatisfy { $0 != UInt8(ascii: "%") && !($0 == UInt8(ascii: "+") && plusIsSpace) }
    guard !isAsItIs else { return text }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var rest = text.makeIterator()
    while let byte = rest.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = rest.next().flatMap(Hexadecimal.value), let low = rest.next().flatMap(Hexadecimal.value)
            else { return nil }
            bytes.append(high << 4 | low)
        case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
        default: bytes.append(byte)
        }
    }
    return bytes[...]
}
