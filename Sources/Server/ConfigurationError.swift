/// An error in one environment variable.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public let variable: String
    /// The error of the value, which it does not contain.
    public let problem: String
    public var description: String { "\(variable) \(problem)" }
}

/// All errors of an environment, so that one start reports them all.
public struct ConfigurationErrors: Error, Sendable {
    public let list: [ConfigurationError]
}

/// The reason why the server could not start with a valid configuration, as one line for the operator.
struct StartError: Error, CustomStringConvertible {
    let description: String
}
