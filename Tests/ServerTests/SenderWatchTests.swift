import Logging
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The figures of the senders")
struct SenderWatchTests {
    @Test("They are written as metrics, and those that no sender has reported are absent")
    func metrics() {
        var text = PrometheusText()
        text.add(
            SenderWatch.Figures(senders: 1, organizations: 2, seenSeconds: 3, webhookLagSeconds: 4, webhooksFailing: 5))
        #expect(
            text.text.contains("\nreengagement_senders 1\n")
                && text.text.contains("\nreengagement_webhook_lag_seconds 4\n"))
        #expect(text.text.contains("\nreengagement_digests_total{result=\"sent\"} 0\n"))
        var empty = PrometheusText()
        empty.add(SenderWatch.Figures())
        #expect(
            empty.text.contains("\nreengagement_senders 0\n")
                && !empty.text.contains("reengagement_sender_seen_seconds"))
    }

    @Test("They are read in the background")
    func reading() throws {
        let row = ["1", "2", nil, "4", "5", "6", "7", "8", "9"] as [String?]
        let watch = SenderWatch(
            database: { (_) throws(PostgreSQLError) in
                guard let result = QueryResult.make(columns: row.map { _ in "figure" }, rows: [row]) else {
                    throw .unexpectedResult("no memory")
                }
                return result
            }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try watch.start()
        let deadline = ContinuousClock.now + .seconds(30)
        while watch.figures.senders == 0, .now < deadline { Thread.sleep(.milliseconds(1)) }
        watch.stop()
        #expect(
            watch.figures
                == SenderWatch.Figures(
                    senders: 1, organizations: 2, seenSeconds: nil, webhookLagSeconds: 4, webhooksFailing: 5,
                    webhooksDelivered: 6, webhooksFailed: 7, digestsSent: 8, digestsFailed: 9))
    }
}
