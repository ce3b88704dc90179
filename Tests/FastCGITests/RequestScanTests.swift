import Testing

@testable import FastCGI

@Suite("The scan of a request")
struct RequestScanTests {
    private func verdict(_ bytes: [UInt8], piece: Int = .max) -> RequestScan.Verdict {
        var scan = RequestScan()
        return take(bytes, by: piece, &scan)
    }

    private func take(_ bytes: [UInt8], by piece: Int, _ scan: inout RequestScan) -> RequestScan.Verdict {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(piece))
            rest = rest.dropFirst(part.count)
            let verdict = part.withUnsafeBytes { scan.take($0) }
            guard verdict == .incomplete else { return verdict }
        }
        return .incomplete
    }

    private static let parameters =
        pair("A", []) + pair("", [1]) + pair("LONG", [UInt8](repeating: 65, count: 300)) + pair("Z", [2])

    private static let whole = [
        request(), request(["SAY": "x"], body: [1, 2, 3]),
        begin(id: 65_535) + stream(.parameters, parameters, size: 99, padding: 7, id: 65_535)
            + stream(.input, [1, 2, 3, 4], size: 3, padding: 255, id: 65_535),
    ]

    @Test("The end of a request is found at its last byte, with any division into pieces", arguments: whole)
    func end(bytes: [UInt8]) {
        for piece in [1, 2, 3, 7, 8, 9, 64, bytes.count] {
            let last = (bytes.count - 1) % piece + 1
            #expect(verdict(bytes, piece: piece) == .complete(last))
        }
        for count in 0..<bytes.count where verdict(Array(bytes[..<count])) != .incomplete {
            Issue.record("ended after \(count) bytes")
        }
        #expect(verdict(bytes + [1]) == .complete(bytes.count))
    }

    @Test("An invalid request is found broken, with any division into pieces", arguments: HostileBytes.wrong)
    func broken(example: HostileBytes) {
        for piece in [1, 3, 8, .max] {
            var scan = RequestScan()
            let verdict = take(example.bytes, by: piece, &scan)
            // The reader, not the scan, refuses bytes after a complete request.
            if case .complete = verdict {
                #expect(example.testDescription.hasSuffix("after the request"))
            } else {
                #expect(verdict == .broken)
            }
        }
    }

    @Test("The scan stores the parameters, and the beginning and the length of a long body")
    func stored() {
        var scan = RequestScan(storing: true)
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let bytes =
            begin() + stream(.parameters, Self.parameters, size: 5, padding: 3)
            + stream(.input, body, size: 999, padding: 1)
        guard case .complete = take(bytes, by: 1000, &scan) else { return #expect(Bool(false)) }
        #expect(scan.storedContent.beginning == [0, 1, 1, 0, 0, 0, 0, 0])
        #expect(scan.storedContent.parameters == Self.parameters)
        #expect(scan.storedContent.input == Array(body.prefix(RequestScan.mostInput)))
        #expect(scan.inputLength == body.count)
    }

    @Test("By default, the scan stores no content")
    func notStored() {
        var scan = RequestScan()
        _ = take(request(["SAY": "x"], body: [1]), by: .max, &scan)
        #expect(scan.storedContent.parameters == [] && scan.storedContent.input == [])
        #expect(scan.inputLength == 1)
    }

    @Test("The limit of the parameters is exact")
    func mostParameters() {
        let most = RequestScan.mostParameters
        let value = [UInt8](repeating: 65, count: most - 8)
        let pairs = pair("SAY", value)
        #expect(pairs.count == most)
        #expect(verdict(begin() + stream(.parameters, pairs) + record(.input)) != .broken)
        #expect(verdict(begin() + stream(.parameters, pair("SAY", value + [65])) + record(.input)) == .broken)
    }

    @Test("Random bytes and changed requests never crash the scan")
    func random() {
        var generator = SystemRandomNumberGenerator()
        let good = Self.whole[2]
        for _ in 0..<2000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            let whole = verdict(bytes)
            // The division into pieces does not change the verdict.
            if case .complete = whole {
                guard case .complete = verdict(bytes, piece: 5) else { return #expect(Bool(false), "\(bytes)") }
            } else {
                #expect(verdict(bytes, piece: 5) == whole)
            }
        }
    }
}
