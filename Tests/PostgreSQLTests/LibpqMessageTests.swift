import Testing

@testable import PostgreSQL

@Suite("A message of libpq")
struct LibpqMessageTests {
    @Test(
        "Only known words of a message are reported, and none that it quotes",
        arguments: [
            (
                "could not translate host name \"SECRET@h\" to address: Name or service not known\n",
                "Name or service not known"
            ),
            (
                "connection to server at \"SECRET\" (192.0.2.1), port 5432 failed: Connection refused\n\tIs the server running on "
                    + "that host and accepting TCP/IP connections?\n", "Connection refused"
            ),
            (
                "connection to server on socket \"/SECRET/.s.PGSQL.5432\" failed: No such file or directory\n",
                "No such file"
            ),
            ("connection to server at \"SECRET\" (::1), port 1 failed: FATAL:  28P01\n", "28P01: user or password"),
            ("connection to server at \"h\" (::1), port 1 failed: FATALE:  53300\n", "53300: too many connections"),
            ("connection to server at \"h\" (::1), port 1 failed: FATAL:  XX000\n", "(XX000)"),
            (
                "connection to server at \"SECRET\" (::1), port 1 failed: root certificate file \"/SECRET\" does not exist\n"
                    + "Either provide the file or change sslmode", "sslrootcert"
            ),
            (
                "connection to server at \"SECRET\" (::1), port 1 failed: server certificate for \"SECRET\" does not match host name \"SECRET\"\n",
                "for another host"
            ),
            ("SSL error: certificate verify failed\n", "certificate verify failed"),
            (
                "server closed the connection unexpectedly\n\tThis probably means the server",
                "closed the connection unexpectedly"
            ),
            ("definition of service \"SECRET\" not found\n", "psql shows it"), ("SECRET", "psql shows it"),
            ("", "psql shows it"),
            ("missing \"=\" after \"SECRET\" in connection info string\n", "psql shows it"),
            ("could not translate host name \"SEC\nRET\" to address: Name or service not known\n", "Name or service"),
            ("invalid connection option \"FATAL:  SECRE\"\n", "psql shows it"),
        ])
    func reasons(message: String, words: String) {
        let reason = LibpqMessage.reason(message)
        #expect(reason.contains(words), "\(reason)")
        #expect(!reason.contains("SEC") && !reason.contains("RET") && !reason.contains("\n") && !reason.contains("192"))
    }

    @Test("The reasons of all addresses are reported, each once")
    func addresses() {
        let failed = "connection to server at \"localhost\" (::1), port 1 failed: "
        #expect(
            LibpqMessage.reason("\(failed)Connection refused\n\(failed)Connection refused\n") == "Connection refused")
        let reason = LibpqMessage.reason("\(failed)Connection refused\n\tIs it running?\n\(failed)FATAL:  57P03\n")
        #expect(
            reason
                == "Connection refused, PostgreSQL refused the session (57P03: it is starting, stopping or recovering)")
    }
}
