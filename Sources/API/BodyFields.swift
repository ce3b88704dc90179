import JSON

/// Reads the fields of a JSON object in a request's body one by one, and collects their errors.
struct BodyFields {
    private let object: JSONObject
    var errors = FieldErrors(.badField)

    /// - Throws: a 400 if the body is not UTF-8, not JSON or not an object.
    init(_ body: [UInt8]) throws(Problem) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue.parse(body)
        } catch {
            throw Self.explain(error, body)
        }
        guard let object = value.object else { throw Problem(.bodyNotAnObject, "The body has to be a JSON object.") }
        self.object = object
    }

    private init(_ object: JSONObject, _ errors: FieldErrors) { (self.object, self.errors) = (object, errors) }

    private static func explain(_ error: JSONError, _ body: [UInt8]) -> Problem {
        if let mark = byteOrderMarks.first(where: { body.starts(with: $0.bytes) }) {
            return mark.encoding == "UTF-8"
                ? Problem(
                    .bodyNotJSON,
                    "The body begins with a byte order mark (EF BB BF), which is not part of JSON; send it without.")
                : Problem(
                    .bodyNotUTF8,
                    "The body begins with the byte order mark of \(mark.encoding); encode it as UTF-8, without a mark.")
        }
        return switch error {
        case .notUTF8: Problem(.bodyNotUTF8, "The body is not UTF-8.")
        case .tooDeep: Problem(.bodyTooDeep, "The body nests deeper than \(JSONValue.maximumDepth) levels.")
        case .syntax(let offset): Problem(.bodyNotJSON, "The body is not JSON; the fault is at byte \(offset).")
        }
    }

    /// RFC 8259 section 8.1 forbids a byte order mark before JSON. UTF-32 is first, because its little-endian mark
    /// begins with that of UTF-16.
    private static let byteOrderMarks: [(encoding: String, bytes: [UInt8])] = [
        ("UTF-8", [0xEF, 0xBB, 0xBF]), ("UTF-32", [0xFF, 0xFE, 0, 0]), ("UTF-32", [0, 0, 0xFE, 0xFF]),
        ("UTF-16", [0xFF, 0xFE]), ("UTF-16", [0xFE, 0xFF]),
    ]

    /// Reads a required text. Its length is in Unicode code points.
    mutating func text(_ name: StaticString, of length: ClosedRange<Int>) -> String {
        guard let value = required(name) else { return "" }
        guard let text = value.text, length.contains(text.unicodeScalars.count) else {
            let range = "\(length.lowerBound) to \(length.upperBound)"
            errors.add(name, "must be a string of \(range) characters, without U+0000 or lone surrogates")
            return ""
        }
        return text
    }

    /// Reads a text that may be absent or null. Both mean an empty text.
    mutating func optionalText(_ name: StaticString, atMost length: Int) -> String {
        guard let value = single(name), !value.isNull else { return "" }
        guard let text = value.text, text.unicodeScalars.count <= length else {
            errors.add(name, "must be a string of at most \(length) characters, without U+0000 or lone surrogates")
            return ""
        }
        return text
    }

    /// Reads a text of 1 to `length` characters without control characters. Nil if it is absent or null.
    ///
    /// - Parameter breaks: whether line feeds are allowed.
    mutating func line(_ name: StaticString, atMost length: Int, breaks: Bool = false) -> String? {
        guard let value = single(name), !value.isNull else { return nil }
        guard let text = value.text, (1...length).contains(text.unicodeScalars.count),
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control || breaks && $0 == "\n" })
        else {
            let exception = breaks ? " but line feeds" : ""
            errors.add(
                name,
                "must be a string of 1 to \(length) characters, without control characters\(exception) or lone surrogates"
            )
            return nil
        }
        return text
    }

    /// Reads a text of 1 to `length` printable ASCII characters. Nil if it is absent or null.
    mutating func optionalPrintable(_ name: StaticString, atMost length: Int) -> String? {
        guard let value = single(name), !value.isNull else { return nil }
        guard let text = value.text, isPrintable(text.utf8, atMost: length) else {
            errors.add(name, "must be a string of 1 to \(length) printable ASCII characters")
            return nil
        }
        return text
    }

    /// Reads a Boolean that may be absent or null. Both mean false.
    mutating func optionalBool(_ name: StaticString) -> Bool {
        guard let value = single(name), !value.isNull else { return false }
        guard case .bool(let flag) = value else {
            errors.add(name, "must be true or false")
            return false
        }
        return flag
    }

    /// Reads a required word. An invalid one is added to the errors, and `placeholder` is returned but never used.
    mutating func choice<Value: Choice>(_ name: StaticString, default placeholder: Value) -> Value {
        guard let value = required(name) else { return placeholder }
        guard let choice = value.text.flatMap(Value.named) else {
            errors.add(name, Value.expectation)
            return placeholder
        }
        return choice
    }

    /// Reads a text that may be absent or null.
    mutating func text(_ name: StaticString) -> String? {
        guard let value = single(name), !value.isNull else { return nil }
        guard let text = value.text else {
            errors.add(name, "must be a string, without U+0000 or lone surrogates")
            return nil
        }
        return text
    }

    /// Reads a word that may be absent or null.
    mutating func choice<Value: Choice>(_ name: StaticString) -> Value? {
        guard let value = single(name), !value.isNull else { return nil }
        guard let choice = value.text.flatMap(Value.named) else {
            errors.add(name, Value.expectation)
            return nil
        }
        return choice
    }

    /// Reads a required date. An invalid one is added to the errors, and `placeholder` is returned but never used.
    mutating func day(_ name: StaticString, default placeholder: CalendarDay = .first) -> CalendarDay {
        required(name).flatMap { day(name, $0) } ?? placeholder
    }

    /// Reads a date that may be absent or null.
    mutating func optionalDay(_ name: StaticString) -> CalendarDay? {
        guard let value = single(name), !value.isNull else { return nil }
        return day(name, value)
    }

    private mutating func day(_ name: StaticString, _ value: JSONValue) -> CalendarDay? {
        guard let day = value.text.flatMap(CalendarDay.init) else {
            errors.add(name, "must be a date that exists, as a string YYYY-MM-DD")
            return nil
        }
        return day
    }

    /// Reads a whole number that may be absent or null. `1.0` and `1e0` are whole (JSON Schema 2020-12, `integer`).
    mutating func number(_ name: StaticString, in range: ClosedRange<Int>) -> Int? {
        guard let value = single(name), !value.isNull else { return nil }
        guard let number = value.double.flatMap(Int.init(exactly:)), range.contains(number) else {
            errors.add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound), as a JSON number")
            return nil
        }
        return number
    }

    /// Reads the members of an object that may be absent or null.
    mutating func section<Value>(_ name: StaticString, _ read: (inout BodyFields) -> Value) -> Section<Value> {
        guard let value = single(name) else { return .absent }
        guard !value.isNull else { return .empty }
        guard let object = value.object else {
            errors.add(name, "must be an object, or null")
            return .absent
        }
        var fields = BodyFields(object, errors.inside(name))
        let section = read(&fields)
        errors.add(contentsOf: fields.errors)
        return .value(section)
    }

    /// Reads a required list of texts.
    mutating func texts(_ name: StaticString, _ count: ClosedRange<Int>) -> [String] {
        guard let value = required(name) else { return [] }
        return texts(value, name, count)
    }

    /// Reads a list of texts that may be absent or null. Both mean an empty list.
    mutating func optionalTexts(_ name: StaticString, atMost count: Int) -> [String] {
        guard let value = single(name), !value.isNull else { return [] }
        return texts(value, name, 0...count)
    }

    private mutating func texts(_ value: JSONValue, _ name: StaticString, _ count: ClosedRange<Int>) -> [String] {
        let texts = value.array?.compactMap(\.text)
        guard let texts, texts.count == value.array?.count, count.contains(texts.count) else {
            errors.add(
                name,
                "must be an array of \(count.lowerBound) to \(count.upperBound) strings, without U+0000 or lone surrogates"
            )
            return []
        }
        return texts
    }

    /// Reads a number that may be absent or null.
    mutating func fraction(_ name: StaticString, in range: ClosedRange<Double>) -> Double? {
        guard let value = single(name), !value.isNull else { return nil }
        guard let number = value.double, range.contains(number) else {
            errors.add(name, "must be a number from \(range.lowerBound) to \(range.upperBound), as a JSON number")
            return nil
        }
        return number
    }

    private mutating func required(_ name: StaticString) -> JSONValue? {
        let before = errors.list.count
        if let value = single(name), !value.isNull { return value }
        if errors.list.count == before { errors.add(name, "is required") }
        return nil
    }

    private mutating func single(_ name: StaticString) -> JSONValue? {
        let values = object.values(of: "\(name)")
        guard values.count <= 1 else {
            errors.add(name, "is given \(values.count) times; give it once")
            return nil
        }
        return values.first
    }
}

/// An object in a body that replaces a part of what is stored.
enum Section<Value> {
    /// The part stays.
    case absent
    /// The part is emptied.
    case empty
    case value(Value)

    /// True if the part is replaced.
    var isGiven: Bool { if case .absent = self { false } else { true } }

    var value: Value? { if case .value(let value) = self { value } else { nil } }
}

extension Section: Sendable where Value: Sendable {}

/// True for 1 to `length` characters from U+0020 to U+007E.
func isPrintable(_ bytes: some Collection<UInt8>, atMost length: Int) -> Bool {
    (1...length).contains(bytes.count) && bytes.allSatisfy { (0x20...0x7E).contains($0) }
}
