import Glibc

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
