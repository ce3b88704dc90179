import Testing

@testable import PostgreSQL

@Suite("An error of PostgreSQL")
struct PostgreSQLErrorTests {
    @Test("A message that may quote a row is not reported", arguments: ["22P02", "22003", "22007", "P0001"])
    func quotes(code: String) {
        let error = PostgreSQLError(state: SQLState(code), message: "invalid input: \"Jane Doe\"")
        #expect(error.description.contains(code) && !error.description.contains("Jane"))
        #expect(error.kind == "refused" && !error.isTemporary)
    }

    @Test(
        "A session or statement that ended by the site's own timeouts is a temporary error",
        arguments: [
            "57P05": "connection_lost", "25P03": "connection_lost", "25P04": "statement_timeout", "55P03": "conflict",
        ])
    func timeouts(code: String, kind: String) {
        let error = PostgreSQLError(state: SQLState(code), message: "terminating connection")
        #expect(error.kind == kind && error.isTemporary)
    }

    @Test(
        "Each code has the status and cause that the table gives to it or to its class",
        arguments: [
            "53100": DatabaseCause.diskFull, "53200": .outOfResources, "53300": .connectionLimit,
            "53400": .outOfResources,
            "25006": .readOnly, "25001": .refused, "28000": .loginRefused, "28P01": .loginRefused,
            "3D000": .loginRefused,
            "40001": .conflict, "40P01": .conflict, "55P03": .conflict, "55006": .conflict, "55000": .refused,
            "57014": .statementTimeout, "57P01": .connectionLost, "57P03": .unavailable, "58P01": .unavailable,
            "08006": .connectionLost, "REZON": .timeZoneUnknown, "REAUD": .auditUnavailable, "22003": .refused,
            "23514": .refused, "42501": .refused,
            "54000": .refused, "P0001": .refused, "XX000": .refused,
        ])
    func table(code: String, cause: DatabaseCause) {
        #expect(PostgreSQLError(state: SQLState(code), message: "").cause == cause)
        #expect(SQLStateTable.line(SQLState(code)).status == (cause == .refused ? 500 : 503))
    }

    @Test(
        "Any error while a session is opened is temporary",
        arguments: [
            "53300": DatabaseCause.connectionLimit, "28000": .loginRefused, "42501": .loginRefused,
            "22023": .loginRefused,
            "57P03": .unavailable,
        ])
    func noSession(code: String, cause: DatabaseCause) {
        let error = PostgreSQLError.noSession(SQLState(code), "")
        #expect(error.cause == cause && error.isTemporary)
    }

    @Test("A message that quotes no row is reported", arguments: ["42P01", "23514", "53300"])
    func message(code: String) {
        #expect(PostgreSQLError(state: SQLState(code), message: "the reason").description.contains("the reason"))
    }
}
