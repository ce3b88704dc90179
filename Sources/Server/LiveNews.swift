import JSON
import Live
import Logging
import PostgreSQL
import Threads

/// Asks the database for what the live streams tell (sql/flat/80_live.sql).
final class LiveNews: Sendable {
    /// Runs a query bound to an organization. "" is for queries across all of them.
    typealias Database = @Sendable (_ query: Query, _ organization: String) throws(PostgreSQLError) -> QueryResult

    private enum Column: Int, SelectedColumn {
        case organizationId, askedAfter, sequence, oldest, state, isDue, critical, newToday, open
        case acknowledgement, notices
    }

    private static let statement = Statement(
        name: "live", sql: "SELECT \(Column.selected) FROM re.live($1::text[], $2::bigint[], $3::text[])")
    private static let pauseIfBusy = Duration.milliseconds(20)

    private let database: Database
    private let refreshes: Refreshes
    private let logger: Logger
    private let state = Monitor((isFailing: false, failures: 0))

    init(database: @escaping Database, refreshes: Refreshes, logger: Logger) {
        (self.database, self.refreshes, self.logger) = (database, refreshes, logger)
    }

    /// How many questions the database did not answer.
    var failures: Int { state.withLock { $0.failures } }

    /// The answers, in one statement. Nil if the database does not answer.
    func ask(_ questions: [Question]) -> [Answer]? {
        var known = ArrayLiteral()
        for question in questions { known.append(question.knownState) }
        do {
            let rows = try database(
                Query(
                    Self.statement,
                    [
                        ArrayLiteral.text(of: questions.map(\.organization)),
                        ArrayLiteral.text(of: questions.map { String($0.after) }), known.text,
                    ]), "")
            let answers = try rows.rows.map(Self.answer)
            state.withLock { $0.isFailing = false }
            return answers
        } catch {
            report(error)
            return nil
        }
    }

    /// Refreshes at most ``Maintenance/chunk`` patients of an organization. True if it may have become current.
    func refresh(_ organization: String) -> Bool {
        guard !refreshes.isWaiting(organization) else { return false }
        do throws(PostgreSQLError) {
            let advance = try Maintenance.advance(organization, by: database)
            // Another session refreshes it.
            if advance.isBusy { Thread.sleep(Self.pauseIfBusy) }
            refreshes.succeeded(organization)
            return true
        } catch {
            if !error.isOfTheDatabase { refreshes.failed(organization, error) }
            return false
        }
    }

    /// Logs the first of several failures.
    private func report(_ error: any Error) {
        let wasFailing = state.withLock { state in
            defer { state = (true, state.failures + 1) }
            return state.isFailing
        }
        guard !wasFailing else { return }
        let kind = (error as? PostgreSQLError)?.kind ?? "unexpected_result"
        logger.warning(
            "the news of the live streams could not be read", metadata: ["class": "\(kind)", "reason": "\(error)"])
    }

    private static func answer(_ row: Row) throws(PostgreSQLError) -> Answer {
        guard let organization = row.text(Column.organizationId), let after = row.int(Column.askedAfter),
            let sequence = row.int(Column.sequence), let oldest = row.int(Column.oldest)
        else { throw .unexpectedResult("re.live returned no number") }
        var counts: AlertCounts?
        if let critical = row.int(Column.critical), let newToday = row.int(Column.newToday),
            let open = row.int(Column.open)
        {
            counts = AlertCounts(critical: critical, newToday: newToday, open: open)
        }
        return Answer(
            organization: organization, after: after, sequence: sequence, oldest: oldest,
            state: row.text(Column.state), isDue: row.bool(Column.isDue) ?? false, counts: counts,
            acknowledgement: row.text(Column.acknowledgement) ?? "", notices: try notices(row.bytes(Column.notices)))
    }

    /// The notices, each an array of its values.
    private static func notices(_ json: [UInt8]?) throws(PostgreSQLError) -> [Notice] {
        guard let json else { return [] }
        do throws(JSONError) {
            let notices = (try JSONValue.parse(json).array ?? []).compactMap { notice($0.array ?? []) }
            return notices
        } catch {
            throw .unexpectedResult("re.live returned notices that are not JSON")
        }
    }

    private static func notice(_ values: [JSONValue]) -> Notice? {
        guard values.count == 6, let sequence = values[0].int, let kind = values[1].text, let cause = values[2].text,
            let day = values[3].text, let number = values[4].int, let age = values[5].double
        else { return nil }
        return Notice(
            sequence: sequence, kind: kind, cause: cause, day: day, number: number, age: .seconds(age))
    }
}

extension JSONValue {
    /// The value if this is a whole number.
    fileprivate var int: Int? { if case .number(let literal) = self { Int(literal) } else { nil } }
}
