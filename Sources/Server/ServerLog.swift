import Logging

/// The server's log: its destination, format and minimum level.
struct ServerLog: Sendable {
    let sink: LogSink
    let format: LogFormat
    let level: LogLevel
    let logger: Logger

    init(sink: LogSink, format: LogFormat, level: Logger.Level) {
        let level = LogLevel(level)
        (self.sink, self.format, self.level) = (sink, format, level)
        logger = Logger(label: "reengagement-api") { _ in
            StructuredLogHandler(sink: sink, format: format, level: level)
        }
    }

    /// Changes the level by one step. The change is logged at any level.
    func stepLevel(moreVerbose: Bool, signal: String) {
        let before = level.current
        level.step(moreVerbose: moreVerbose)
        var logger = logger
        logger.logLevel = .trace
        logger.notice(
            "the log level has changed",
            metadata: ["from": "\(before)", "to": "\(level.current)", "signal": "\(signal)"])
    }
}
