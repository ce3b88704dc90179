import Foundation
import Testing

/// What a fuzzer has found to reach far, and what once broke a target, fed to each of them again. A trap here is told by
/// Tests/Fuzz/run with the input's name, and under the address sanitizer.
@Suite("The fuzzer's targets")
struct CorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "corpus")

    @Test("hold for every input of their corpus", arguments: targets.keys.sorted())
    func corpus(name: String) throws {
        let target = try #require(targets[name])
        // An input a line, in Base64; an empty line is the empty input.
        let lines = try String(contentsOf: Self.corpus.appending(path: name), encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(!lines.isEmpty)
        for line in lines { target([UInt8](try #require(Data(base64Encoded: String(line))))) }
    }

    @Test("have a corpus each, and none is without its target")
    func files() throws {
        #expect(try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path).sorted() == targets.keys.sorted())
    }
}
