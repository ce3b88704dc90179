import Testing

@testable import PostgreSQL

@Suite("An error of PostgreSQL")
struct PostgreSQLErrorTests {
    @Test("tells nothing that its message may quote of a row", arguments: ["22P02", "22003", "22007", "P0001"])
    func quotes(code: String) {
        let error = PostgreSQLError(state: SQLState(code), message: "invalid input: \"Jane Doe\"")
        #expect(error.description.contains(code) && !error.description.contains("Jane"))
        #expect(error.kind == "refused" && !error.isTemporary)
    }

    @Test(
        "takes for temporary what a site's own timeouts end",
        arguments: ["57P05": "connection_lost", "25P03": "connection_lost", "25P04": "unavailable", "55P03": "unavailable"])
    func timeouts(code: String, kind: String) {
        let error = PostgreSQLError(state: SQLState(code), message: "terminating connection")
        #expect(error.kind == kind && error.isTemporary)
    }

    @Test("otherwise tells what PostgreSQL says", arguments: ["42P01", "23514", "53300"])
    func message(code: String) {
        #expect(PostgreSQLError(state: SQLState(code), message: "the reason").description.contains("the reason"))
    }
}
