import Glibc
import JWT
import Logging
import Testing

@testable import Server

@Suite("The level of the log")
struct LogLevelTests {
    @Test("The level changes by one step and stops at either end")
    func steps() {
        let level = LogLevel(.notice)
        var seen: [Logger.Level] = []
        for _ in 0..<4 {
            level.step(moreVerbose: true)
            seen.append(level.current)
        }
        for _ in 0..<8 {
            level.step(moreVerbose: false)
            seen.append(level.current)
        }
        #expect(
            seen == [
                .info, .debug, .trace, .trace, .debug, .info, .notice, .warning, .error, .critical, .critical,
                .critical,
            ])
    }

    @Test("Existing loggers follow a change, except those with their own level")
    func followed() throws {
        let (log, level) = (CapturedLog(), LogLevel(.warning))
        let logger = Logger(label: "test") { _ in StructuredLogHandler(sink: log.sink, format: .json, level: level) }
        var own = logger
        own.logLevel = .error
        logger.info("not this")
        level.step(moreVerbose: true)
        level.step(moreVerbose: true)
        logger.info("this")
        own.info("not this either")
        own.error("and this")
        #expect(try log.objects().map { $0["message"] as? String } == ["this", "and this"])
    }
}

@Suite("The log of slow requests")
struct SlowRequestLogTests {
    @Test("A request that reaches the threshold is logged as a warning with its statement, and no other is")
    func threshold() throws {
        let (log, level) = (CapturedLog(), LogLevel(.warning))
        let slow = SlowRequestLog(sink: log.sink, format: .json, level: level, threshold: .milliseconds(500))
        let principal = Claims(subject: "user_1", organization: "org_1", expiresAt: 0)
        slow.write(.example(duration: .milliseconds(499)))
        slow.write(
            .example(
                route: "/x/{org_id}", principal: principal, duration: .milliseconds(500), statement: "risk_metrics"))
        slow.write(.example(route: nil, status: 404, duration: .seconds(2)))
        level.step(moreVerbose: false)
        slow.write(.example(duration: .seconds(2)))
        let lines = try log.objects()
        #expect(lines.count == 2)
        #expect(
            lines[0].filter { $0.key != "time" }.mapValues { "\($0)" } == [
                "level": "warning", "message": "a slow request", "request_id": "r-1",
                "server_request_id": "s-1", "method": "GET",
                "route": "/x/{org_id}", "status": "200", "duration_us": "500000", "organization": "org_1",
                "statement": "risk_metrics",
            ])
        #expect(lines[1]["statement"] == nil && lines[1]["route"] as? String == "none")
    }

    @Test("The duration is that of the access log, rounded down", arguments: [700_000_000, 700_000_499, 700_000_999])
    func duration(nanoseconds: Int) throws {
        let log = CapturedLog()
        let observation = Observation.example(duration: .nanoseconds(nanoseconds))
        AccessLog(sink: log.sink, format: .json).write(observation)
        SlowRequestLog(sink: log.sink, format: .json, level: LogLevel(.info), threshold: .milliseconds(500))
            .write(observation)
        #expect(try log.objects().map { $0["duration_us"] as? Int } == [700_000, 700_000])
    }
}

@Suite("The signals of the operator")
struct OperatorSignalsTests {
    @Test(
        "Each signal causes its event",
        arguments: [
            (SIGTERM, OperatorSignals.Event.stop), (SIGINT, .stop), (SIGUSR1, .logLevel(moreVerbose: true)),
            (SIGUSR2, .logLevel(moreVerbose: false)),
        ])
    func events(signal: CInt, event: OperatorSignals.Event) {
        let signals = OperatorSignals()
        // The signal is sent to this thread, whose mask holds it back until the thread waits.
        pthread_kill(pthread_self(), signal)
        #expect(signals.wait().event == event)
    }
}
