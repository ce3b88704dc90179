public import Logging

/// Writes swift-log's events in the server's own format.
public struct StructuredLogHandler: LogHandler {
    private let sink: LogSink
    private let format: LogFormat
    private let level: LogLevel
    /// The level of one logger, if it was set.
    private var ownLevel: Logger.Level?
    public var metadata: Logger.Metadata = [:]

    /// - Parameter level: the process's level, which may change.
    public init(sink: LogSink, format: LogFormat, level: LogLevel) {
        self.sink = sink
        self.format = format
        self.level = level
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? level.current }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        sink.write(
            LogLine.bytes(format, time: wallClock(), level: event.level.rawValue, message: "\(event.message)") { line in
                for (name, value) in all.sorted(by: { $0.key < $1.key }) { line.add(escaping: name, "\(value)") }
                if let error = event.error { line.add("error", "\(error)") }
            })
    }
}
