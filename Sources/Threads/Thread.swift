import Glibc

/// A POSIX thread that runs one closure.
public struct Thread: Sendable {
    /// The system refused a new thread.
    public struct StartError: Error, CustomStringConvertible {
        /// The purpose of the thread, such as "the log".
        public let purpose: String
        /// The system's `errno`.
        public let code: CInt

        /// One line for the operator.
        public var description: String { "the system refuses a thread for \(purpose) (errno \(code))" }
    }

    private let handle: pthread_t

    /// Starts `body` on a thread of its own.
    ///
    /// - Parameter purpose: names the thread in the error.
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

    /// Waits until the closure has returned; to be called once.
    public func join() { pthread_join(handle, nil) }

    /// Has the thread free itself when the closure has returned; instead of `join`.
    public func detach() { pthread_detach(handle) }

    /// Sleeps for the whole duration, also where a signal interrupts it.
    public static func sleep(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var remaining = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var rest = timespec()
        while nanosleep(&remaining, &rest) == -1 && errno == EINTR { remaining = rest }
    }

    private init(handle: pthread_t) { self.handle = handle }
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
