import Glibc

/// A POSIX thread that runs one closure.
public struct Thread: Sendable {
    /// The error if the system refuses a new thread.
    public struct StartError: Error, CustomStringConvertible {
        /// The purpose of the thread, such as "the log".
        public let purpose: String
        /// The system's `errno`.
        public let code: CInt

        /// One line of text for the operator.
        public var description: String { "the system refuses a thread for \(purpose) (errno \(code))" }
    }

    private let handle: pthread_t

    /// Starts a thread that runs `body`.
    ///
    /// - Parameter purpose: the work of the thread, for the error's text.
    public static func start(
        for purpose: String = "its work", _ body: @escaping @Sendable () -> Void
    ) throws(StartError) -> Thread {
        let box = Unmanaged.passRetained(Body(body))
        var handle = pthread_t()
        let code = pthread_create(&handle, nil, { startRoutine($0) }, box.toOpaque())
        guard code == 0 else {
            box.release()
            throw StartError(purpose: purpose, code: code)
        }
        return Thread(handle: handle)
    }

    /// Waits until the closure has returned. Call it once.
    public func join() { pthread_join(handle, nil) }

    /// Lets the thread free itself when the closure has returned. Call it instead of `join`.
    public func detach() { pthread_detach(handle) }

    /// Sleeps for the whole duration, even if a signal interrupts it.
    public static func sleep(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var remaining = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var rest = timespec()
        while nanosleep(&remaining, &rest) == -1 && errno == EINTR { remaining = rest }
    }
}

private final class Body: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func startRoutine(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
