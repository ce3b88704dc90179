import Foundation
import Logging
import Testing

@testable import JWT

@Suite struct DenyListTests {
    private let folder: TemporaryFolder
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws { folder = try TemporaryFolder() }

    private func names(_ text: String) throws -> Set<String> {
        Set(try DeniedNames(Array(text.utf8)).all.map { String(decoding: $0, as: UTF8.self) })
    }

    private func list(_ text: String) throws -> (DenyList, Verifier) {
        let path = try folder.write(text, to: "denied")
        let list = try DenyList(path: path, logger: quiet, interval: .milliseconds(10))
        try list.start()
        let keys = try KeySet.quiet(.pem(SigningKey.first.publicPEM))
        return (list, Verifier(keys: keys, policy: Policy(issuer: issuer), denied: list))
    }

    @Test("A line contains one name, and blanks around it, comments and empty lines are ignored")
    func lines() throws {
        #expect(try names("") == [])
        #expect(try names("\n\r\n \t\n#\n# user_1\n") == [])
        #expect(try names("user_1") == ["user_1"])
        #expect(
            try names("\u{FEFF}user_1\r\n\tsess_2 \n\nuser_1 # left in June\nuser#3\n#user_4\na b") == [
                "user_1", "sess_2", "user#3", "a b",
            ])
        #expect(try DeniedNames(Array("user_1\nuser_2, user_3\n\"user_4\"\nuser_5".utf8)).odd == [2, 3])
        for bytes in [[0xFF, 0xFE, 0x75, 0x00], [0x75, 0x00], [0xC3]] as [[UInt8]] {
            #expect(throws: KeyError.self) { try DeniedNames(bytes) }
        }
    }

    @Test("A listed subject or session is refused, even if its token is cached, and is accepted again when unlisted")
    func refused() throws {
        let (list, verifier) = try list("# nobody\n")
        defer { list.stop() }
        let (token, other) = (Token().text, Token(["sub": "\"user_2\"", "sid": nil]).text)
        #expect(verifier.reason(token) == nil && verifier.reason(token) == nil && verifier.cacheStatistics.hits == 1)
        for name in ["user_1", "sess_1"] {
            try folder.write("\(name)\r\n", to: "denied")
            #expect(eventually { verifier.reason(token) == .invalid(.denied) })
            #expect(verifier.reason(other) == nil && eventually { list.statistics.entries == 1 })
            try folder.write("USER_1\nuser_\nuser_11\n", to: "denied")
            #expect(eventually { verifier.reason(token) == nil })
        }
    }

    @Test("A file that is rewritten, replaced or reached by a changed link is noticed")
    func ways() throws {
        let (list, verifier) = try list("")
        defer { list.stop() }
        let (token, path) = (Token().text, folder.path + "/denied")
        let handle = try #require(FileHandle(forWritingAtPath: path))
        handle.write(Data("user_1\n".utf8))
        #expect(eventually { verifier.reason(token) == .invalid(.denied) })
        try folder.write("", to: "one")
        try folder.write("sess_1", to: "two")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "one")
        #expect(eventually { verifier.reason(token) == nil })
        try FileManager.default.createSymbolicLink(atPath: path + "2", withDestinationPath: "two")
        #expect(rename(path + "2", path) == 0)
        #expect(eventually { verifier.reason(token) == .invalid(.denied) })
    }

    @Test(
        "A file that cannot be read leaves the last list in force, and the failure is counted",
        arguments: ["", "\u{0}", "gone"])
    func unreadable(_ how: String) throws {
        let (list, verifier) = try list("user_1\n")
        defer { list.stop() }
        let path = folder.path + "/denied"
        try FileManager.default.removeItem(atPath: path)
        if how == "" { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false) }
        if how == "\u{0}" { try folder.write("user_2\u{0}", to: "denied") }
        #expect(eventually { list.statistics.failures > 2 })
        #expect(verifier.reason(Token().text) == .invalid(.denied) && list.statistics.entries == 1)
        #expect(list.statistics.age > 0)
    }

    @Test("A missing name is accepted only after two equal readings, since the file may be half written")
    func halfWritten() throws {
        let path = try folder.write("user_1\nuser_2\n", to: "denied")
        let list = try DenyList(path: path, logger: quiet, interval: .seconds(3600))
        try list.start()
        defer { list.stop() }
        func reads(_ text: String, entries: Int) throws {
            try folder.write(text, to: "denied")
            let before = list.statistics.age
            list.readAgain()
            #expect(eventually { list.statistics.age < before || list.statistics.entries == entries })
            #expect(eventually { list.statistics.entries == entries })
        }
        try reads("user_3\n", entries: 3)
        try reads("user_3\n", entries: 1)
    }

    @Test("A file that is written slowly removes no name, in any number of readings")
    func writtenSlowly() throws {
        let path = try folder.write("user_1\nuser_9\n", to: "denied")
        // The interval is too long for the thread to read the file meanwhile.
        let list = try DenyList(path: path, logger: quiet, interval: .seconds(3600))
        for (text, entries) in [
            ("# all\n", 2), ("us", 3), ("user_1\nuser_", 4), ("user_1\nuser_9\n", 4), ("user_1\nuser_9\n", 2),
        ] {
            _ = list.put(try DeniedNames(Array(text.utf8)))
            #expect(list.statistics.entries == entries)
        }
    }

    @Test("A missing file stops the start", arguments: ["missing", ""])
    func start(_ name: String) {
        #expect {
            try DenyList(path: "\(folder.path)/\(name)", logger: quiet)
        } throws: {
            "\($0)".hasPrefix("TOKEN_DENY_FILE names ")
        }
    }
}
