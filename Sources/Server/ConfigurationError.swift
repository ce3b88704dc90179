/// An error of a variable of the environment.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let variable: String
    /// The error of its value, without the value.
    public let problem: String
    public var description: String { "\(variable) \(problem)" }
}

/// All errors of an environment, so that an operator need not find them one start at a time.
public struct ConfigurationErrors: Error, Sendable {
    public let list: [ConfigurationError]
}

/// Why the server could not be started with a valid configuration, in one line for the operator.
struct StartError: Error, CustomStringConvertible {
    let description: String
}
