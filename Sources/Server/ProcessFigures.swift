import Glibc

/// The kernel's metrics of this process. They are in `/proc/self`, because a hardened unit hides the rest of `/proc`.
struct ProcessFigures {
    let cpuSeconds: Double
    let residentBytes: Int
    let virtualBytes: Int
    let openDescriptors: Int
    let descriptorLimit: UInt
    /// Seconds since 1970.
    let startTime: Double

    /// - Returns: nil if `/proc` is not mounted.
    static func current() -> ProcessFigures? {
        guard let memory = numbers(inFile: "/proc/self/statm"), memory.count >= 2, let descriptors = openDescriptors(),
            let startTime
        else { return nil }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let page = sysconf(CInt(_SC_PAGESIZE))
        return ProcessFigures(
            cpuSeconds: seconds(of: CLOCK_PROCESS_CPUTIME_ID), residentBytes: memory[1] * page,
            virtualBytes: memory[0] * page, openDescriptors: descriptors, descriptorLimit: UInt(limit.rlim_cur),
            startTime: startTime)
    }

    /// Computed once. If the wall clock is set later, the start time must not change.
    private static let startTime: Double? = {
        guard let text = text(ofFile: "/proc/self/stat"),
            // The name is in parentheses and may contain anything, so fields are counted after it.
            let fields = text.split(separator: ")").last?.split(separator: " "), fields.count > 19,
            let ticks = Double(fields[19])
        else { return nil }
        let age = seconds(of: CLOCK_BOOTTIME) - ticks / Double(sysconf(CInt(_SC_CLK_TCK)))
        return ((wallClock() - age) * 100).rounded() / 100
    }()

    private static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // `.`, `..` and the descriptor of this directory do not count.
        return count - 3
    }

    private static func numbers(inFile path: String) -> [Int]? {
        text(ofFile: path)?.split(separator: " ").compactMap { Int($0) }
    }

    private static func text(ofFile path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
