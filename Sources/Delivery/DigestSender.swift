internal import Digest
internal import JSON
internal import Logging
internal import PostgreSQL
internal import Threads

/// Sends the digests of all organizations by mail.
final class DigestSender: Sendable {
    private let database: SenderDatabase
    private let mail: MailSettings
    private let publicURL: String?
    private let stopping: Stopping
    private let logger: Logger
    private let loop = ThreadLoop()
    private let workers = WorkerPool()
    private let retry = Monitor(BackOff(first: .seconds(2), longest: .seconds(20)))

    private static let pause = Duration.seconds(2)
    private static let threads = 4
    /// The pauses between attempts, by the number of the attempt before.
    private static let pauses = [60, 120, 240, 480, 900]
    private static let recording = Duration.seconds(60)

    private enum Column: Int, SelectedColumn {
        case organizationId, day, attempt, recipients, refused, toldDay, clinicName, secondsLeft
    }

    private enum NumbersColumn: Int, SelectedColumn {
        case new, open, critical
    }

    private static let claim = Statement(
        name: "claim_digests", sql: "SELECT \(Column.selected) FROM re.claim_digests($1::int)")
    private static let numbers = Statement(
        name: "digest_numbers",
        sql: "SELECT \(NumbersColumn.selected) FROM re.digest_numbers($1, $2::date, $3::date)")
    private static let record = Statement(
        name: "record_digest",
        sql: "SELECT re.record_digest($1, $2::date, $3::int, $4, $5::text[], make_interval(secs => $6::int))")

    /// A digest that this sender has claimed.
    private struct Claim {
        let organization: String
        let day: String
        let attempt: Int
        let recipients: [String]
        let toldDay: String
        let clinicName: String?
        let secondsLeft: Int

        init?(_ row: Row) {
            guard let organization = row.text(Column.organizationId), let day = row.text(Column.day),
                let attempt = row.int(Column.attempt), let toldDay = row.text(Column.toldDay)
            else { return nil }
            (self.organization, self.day, self.attempt, self.toldDay) = (organization, day, attempt, toldDay)
            let refused = Self.texts(row.text(Column.refused))
            recipients = Self.texts(row.text(Column.recipients)).filter { recipient in
                !refused.contains { $0.utf8.elementsEqual(recipient.utf8) }
            }
            clinicName = row.text(Column.clinicName).flatMap { $0.isEmpty ? nil : $0 }
            secondsLeft = row.int(Column.secondsLeft) ?? 0
        }

        private static func texts(_ json: String?) -> [String] {
            guard let json, let value = try? JSONValue.parse(Array(json.utf8)) else { return [] }
            return (value.array ?? []).compactMap(\.text)
        }

        /// The pause after this attempt, in seconds.
        var pause: Int { DigestSender.pauses[min(max(attempt, 1), DigestSender.pauses.count) - 1] }

        var isLast: Bool { secondsLeft <= pause }
    }

    init(
        database: SenderDatabase, mail: MailSettings, publicURL: String?, stopping: Stopping, logger: Logger
    ) {
        (self.database, self.mail, self.publicURL) = (database, mail, publicURL)
        (self.stopping, self.logger) = (stopping, logger)
    }

    func start() throws(Thread.StartError) {
        let loop = loop
        try workers.start(threads: Self.threads, for: "the digests") { loop.wake() }
        try loop.start(for: "the claims of digests") { [self] in .after(claimAll()) }
    }

    /// Begins nothing more.
    func stop() {
        loop.stop()
        workers.stop()
    }

    @discardableResult
    func waitUntilEnded(_ deadline: ContinuousClock.Instant) -> Bool {
        let isLoopDone = loop.waitUntilEnded(deadline)
        return workers.waitUntilEnded(deadline) && isLoopDone
    }

    /// Claims as many digests as there are idle threads. Returns the pause before the next claim.
    private func claimAll() -> Duration {
        let idle = workers.idle
        guard !stopping.hasBegun, idle > 0 else { return Self.pause }
        do throws(PostgreSQLError) {
            let rows = try database.ask(Query(Self.claim, [String(idle)]))
            for claim in rows.rows.compactMap({ Claim($0) }) { workers.run { [self] in send(claim) } }
            retry.withLock { $0.succeeded() }
            return Self.pause
        } catch {
            logger.warning("digests could not be claimed", metadata: error.metadata)
            return retry.withLock { $0.failed(now: .now, jitter: .random(in: 0..<1)) }
        }
    }

    private func send(_ claim: Claim) {
        // Nothing was given to the relay yet, so that another attempt is right.
        guard !stopping.hasBegun else { return record(claim, .retry, []) }
        let text: DigestText
        do throws(PostgreSQLError) {
            text = try self.text(claim)
        } catch {
            logger.warning("the numbers for a digest could not be read", metadata: error.metadata)
            return record(claim, .retry, [])
        }
        let delivery = DigestDelivery(recipients: claim.recipients, isLast: claim.isLast) { [self] recipients in
            guard let mail = compose(claim, text, recipients) else { return .later(code: nil) }
            return self.mail.send(mail) { [stopping] in stopping.isOver }
        }
        let (result, refused, code) = delivery.run()
        log(claim, result, refused: refused.count, code)
        record(claim, result, refused)
    }

    private func text(_ claim: Claim) throws(PostgreSQLError) -> DigestText {
        let rows = try database.ask(
            Query(Self.numbers, [claim.organization, claim.toldDay, claim.day]), organization: claim.organization)
        guard rows.rowCount == 1, let new = rows[0].int(NumbersColumn.new), let open = rows[0].int(NumbersColumn.open),
            let critical = rows[0].int(NumbersColumn.critical)
        else { throw .unexpectedResult("no numbers") }
        return DigestText(
            day: claim.day, new: new, open: open, critical: critical, clinicName: claim.clinicName, link: publicURL)
    }

    /// Nil if OpenSSL has no memory.
    private func compose(_ claim: Claim, _ text: DigestText, _ recipients: [String]) -> Mail? {
        guard let digest = SHA256(Array(claim.organization.utf8) + [0] + Array(claim.day.utf8)) else { return nil }
        return Mail(
            from: mail.from, recipients: recipients, subject: text.subject,
            // Each attempt for one day has the same id, so that a reader with two copies shows one.
            id: "digest.\(claim.day).\(digest.text.prefix(32))", date: .now, text: text.text, html: text.html,
            boundary: "=_\(RandomID.uuid())")
    }

    /// The log contains no address.
    private func log(_ claim: Claim, _ result: DigestDelivery.Result, refused: Int, _ code: Int?) {
        var metadata: Logger.Metadata = [
            "organization": "\(claim.organization)", "day": "\(claim.day)", "attempt": "\(claim.attempt)",
            "recipients": "\(claim.recipients.count)", "refused": "\(refused)",
        ]
        if let code { metadata["code"] = "\(code)" }
        switch result {
        case .sent: logger.info("a digest was sent", metadata: metadata)
        case .unknown: logger.warning("the relay's answer to a digest was lost, it may have it", metadata: metadata)
        case .refused: logger.warning("a digest was refused", metadata: metadata)
        case .retry: logger.warning("a digest was not sent", metadata: metadata)
        }
    }

    private func record(_ claim: Claim, _ result: DigestDelivery.Result, _ refused: [String]) {
        let query = Query(
            Self.record,
            [
                claim.organization, claim.day, String(claim.attempt), result.rawValue, ArrayLiteral.text(of: refused),
                String(stopping.hasBegun ? 0 : claim.pause),
            ])
        do throws(PostgreSQLError) {
            try database.record(query, until: stopping.recordingEnd(Self.recording))
        } catch {
            logger.warning("the outcome of a digest could not be recorded", metadata: error.metadata)
        }
    }
}
