import Glibc

/// One thing that is fed with bytes from outside; it traps where what it says of them does not hold.
typealias Target = @Sendable (_ input: [UInt8]) -> Void

/// The targets by the names that `run` gives them.
private let targets: [String: Target] = [
    "body": fuzzBody, "claims": fuzzClaims, "cursor": fuzzCursor, "fastcgi": fuzzFastCGI, "json": fuzzJSON,
    "jwks": fuzzJWKS, "pem": fuzzPEM, "request": fuzzRequest, "token": fuzzToken,
]

/// FUZZ_TARGET chooses, so that all targets are built and linked once.
private let target: Target = {
    guard let name = getenv("FUZZ_TARGET").map({ String(cString: $0) }), let target = targets[name] else {
        preconditionFailure("FUZZ_TARGET has to be one of \(targets.keys.sorted().joined(separator: ", "))")
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target([UInt8](UnsafeBufferPointer(start: start, count: count)))
    return 0
}
