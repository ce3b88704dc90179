/// Values that may each be left out, from an address or from a body; their faults are collected.
protocol OptionalValues {
    var faults: Faults { get set }

    mutating func text(_ name: StaticString) -> String?
    mutating func choice<Value: Choice>(_ name: StaticString) -> Value?
    mutating func number(_ name: StaticString, in range: ClosedRange<Int>) -> Int?
}

extension BodyFields: OptionalValues {}

/// The values of an address's parameters.
struct AddressValues: OptionalValues {
    let parameters: QueryParameters
    var faults = Faults()

    init(_ parameters: QueryParameters) { self.parameters = parameters }

    mutating func text(_ name: StaticString) -> String? { parameters.value(of: name, &faults) }

    mutating func choice<Value: Choice>(_ name: StaticString) -> Value? { parameters.choice(name, &faults) }

    mutating func number(_ name: StaticString, in range: ClosedRange<Int>) -> Int? {
        parameters.number(name, in: range, &faults)
    }
}
