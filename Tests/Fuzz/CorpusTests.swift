import Foundation
import Testing

/// Replays the corpus: inputs that reach deep into the code, and inputs that once broke a target. Tests/Fuzz/run
/// reports a trap with the input's name, under the address sanitizer.
@Suite("The fuzzer's targets")
struct CorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "corpus")

    @Test("hold for every input of their corpus", arguments: targets.keys.sorted())
    func corpus(name: String) throws {
        let target = try #require(targets[name])
        // Each line is an input in Base64. An empty line is the empty input.
        let lines = try String(contentsOf: Self.corpus.appending(path: name), encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(!lines.isEmpty)
        for line in lines { target([UInt8](try #require(Data(base64Encoded: String(line))))) }
    }

    @Test("each have a corpus, and each corpus has its target")
    func files() throws {
        #expect(try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path).sorted() == targets.keys.sorted())
    }
}
