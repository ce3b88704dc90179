import Foundation
import Testing

@testable import API

@Suite("The kinds of problem")
struct ProblemKindTests {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: sources.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("Each kind has a page with its cause and its remedy", arguments: ProblemKind.allCases)
    func page(kind: ProblemKind) throws {
        let response = try ProblemPage.response(kind.rawValue)
        #expect(response.status == 200)
        #expect(response.contentType == "text/html; charset=utf-8")
        let html = String(decoding: response.body, as: UTF8.self)
        for text in [kind.explanation.title, kind.explanation.cause, kind.explanation.remedy] {
            #expect(text.count >= 5)
            #expect(html.contains(text.replacingOccurrences(of: "&", with: "&amp;")))
        }
        #expect(kind.rawValue.wholeMatch(of: /[a-z0-9-]+/) != nil)
        #expect((400...599).contains(kind.status))
    }

    @Test(
        "No page has any other name",
        arguments: [nil, "", "about:blank", "No-Such-Route", "no-such-route ", "nosuchroute"])
    func noPage(name: String?) {
        #expect(problem { _ = try ProblemPage.response(name) }?.kind == .noSuchRoute)
    }

    @Test(
        "The server or nginx uses each kind, with the same status and title",
        arguments: ProblemKind.allCases)
    func answered(kind: ProblemKind) throws {
        let nginx = try Self.text("nginx/snippets/errors/problem-texts.conf")
        if nginx.contains(" \(kind.rawValue);") {
            let line = "\(kind == .refused ? "default" : String(kind.status)) "
            #expect(nginx.contains("    \(line)\(kind.rawValue);"))
            #expect(nginx.contains("    \(line)\"\(kind.title)\";"))
            return
        }
        let folder = Self.sources.appendingPathComponent("Sources")
        let table = ["ProblemKind.swift", "ProblemExplanation.swift"]
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        let texts = try files.compactMap { $0 as? URL }
            .filter { $0.pathExtension == "swift" && !table.contains($0.lastPathComponent) }
            .map { try String(contentsOf: $0, encoding: .utf8) }
        let name = try Regex("\\.\(kind)\\b")
        #expect(texts.contains { $0.contains(name) }, "no source file uses \(kind)")
    }

    @Test("nginx uses only kinds that the server declares")
    func nginx() throws {
        let text = try Self.text("nginx/snippets/errors/problem-texts.conf")
        let map = try #require(text.components(separatedBy: "$problem_type {").last?.components(separatedBy: "}").first)
        let names = map.matches(of: /(\d{3}|default) ([a-z-]+);/).map { String($0.2) }
        #expect(names.count >= 20)
        #expect(names.filter { ProblemKind(rawValue: $0) == nil } == [])
    }
}
