/// A source of optional values, either a query string or a body. Errors are collected.
protocol OptionalValues {
    var errors: FieldErrors { get set }

    mutating func text(_ name: StaticString) -> String?
    mutating func choice<Value: Choice>(_ name: StaticString) -> Value?
    mutating func number(_ name: StaticString, in range: ClosedRange<Int>) -> Int?
}

extension BodyFields: OptionalValues {}

/// The values of a query string.
struct AddressValues: OptionalValues {
    let parameters: QueryParameters
    var errors = FieldErrors()

    init(_ parameters: QueryParameters) { self.parameters = parameters }

    mutating func text(_ name: StaticString) -> String? { parameters.value(of: name, &errors) }

    mutating func choice<Value: Choice>(_ name: StaticString) -> Value? { parameters.choice(name, &errors) }

    mutating func number(_ name: StaticString, in range: ClosedRange<Int>) -> Int? {
        parameters.number(name, in: range, &errors)
    }
}
