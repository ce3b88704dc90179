/// An error in a parameter, a field or a header of a request.
public struct FieldError: Sendable, Equatable {
    public let field: String
    public let message: String
}

/// Collects all errors of a request during validation, so that the client sees more than the first.
///
///     var errors = FieldErrors()
///     let limit = parameters.number("limit", in: 1...200, &errors)
///     try errors.check()
struct FieldErrors {
    private let kind: ProblemKind
    /// The path of the object whose fields are read, with a dot at its end.
    private let prefix: String
    private(set) var list: [FieldError] = []

    /// - Parameter kind: the kind of the problem that lists the errors.
    init(_ kind: ProblemKind = .badParameter) { self.init(kind, prefix: "") }

    private init(_ kind: ProblemKind, prefix: String) { (self.kind, self.prefix) = (kind, prefix) }

    /// An empty list for the object in a field.
    func inside(_ field: StaticString) -> FieldErrors { FieldErrors(kind, prefix: "\(prefix)\(field).") }

    mutating func add(_ field: StaticString, _ message: String) {
        list.append(FieldError(field: "\(prefix)\(field)", message: message))
    }

    mutating func add(contentsOf other: FieldErrors) { list += other.list }

    /// - Throws: a 422 that lists every error, unless there is none.
    func check() throws(Problem) {
        guard list.isEmpty else { throw .unprocessable(list, kind) }
    }
}

/// An enum whose cases are the valid words of a parameter or field.
protocol Choice: CaseIterable, RawRepresentable, Sendable where RawValue == String {}

extension Choice {
    /// The case with exactly these bytes. Nil if there is none.
    static func named(_ text: String) -> Self? {
        allCases.first { $0.rawValue.utf8.elementsEqual(text.utf8) }
    }

    static var expectation: String {
        "must be one of " + allCases.map(\.rawValue).joined(separator: ", ")
    }
}

extension QueryParameters {
    /// The choice in a parameter, or `standard` if the parameter is absent or invalid.
    func choice<Value: Choice>(_ name: StaticString, default standard: Value, _ errors: inout FieldErrors) -> Value {
        choice(name, &errors) ?? standard
    }

    /// The choice in a parameter. Nil if the parameter is absent or invalid.
    func choice<Value: Choice>(_ name: StaticString, _ errors: inout FieldErrors) -> Value? {
        guard let text = value(of: name, &errors) else { return nil }
        guard let choice = Value.named(text) else {
            errors.add(name, Value.expectation)
            return nil
        }
        return choice
    }

    /// The whole number in a parameter, in decimal digits only. Nil if the parameter is absent or invalid.
    func number(_ name: StaticString, in range: ClosedRange<Int>, _ errors: inout FieldErrors) -> Int? {
        guard let text = value(of: name, &errors) else { return nil }
        let isDecimal = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isDecimal, !text.hasPrefix("0") || text.utf8.count == 1, let number = Int(text), range.contains(number)
        else {
            errors.add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }
}
