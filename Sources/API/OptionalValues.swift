/// Optional values of an address or a body. Their errors are collected.
protocol OptionalValues {
    var errors: FieldErrors { get set }

    mutating func text(_ name: StaticString) -> String?
    mutating func choice<Value: Choice>(_ name: StaticString) -> Value?
    mutating func number(_ name: StaticString, in range: ClosedRange<Int>) -> Int?
}

extension BodyFields: OptionalValues {}

/// The values of an address's parameters.
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
