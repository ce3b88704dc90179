import Glibc

/// A POSIX thread that runs one closure.
public struct Thread: Sendable {
    /// The system refused a new thread; the value is its `errno`.
    public struct StartError: Error { public let code: CInt }

    private let handle: pthread_t

    /// Starts `body` on a thread of its own.
    public static func start(_ body: @escaping @Sendable () -> Void) throws(StartError) -> Thread {
        let box = Unmanaged.passRetained(Body(body))
        var handle = pthread_t()
        let code = pthread_create(&handle, nil, { startRoutine($0) }, box.toOpaque())
        guard code == 0 else {
            box.release()
            throw StartError(code: code)
        }
        return Thread(handle: handle)
    }

    /// Waits until the closure has returned; to be called once.
    public func join() { pthread_join(handle, nil) }

    /// Lets go of the thread, which ends by itself when the closure has returned; instead of `join`.
    public func detach() { pthread_detach(handle) }

    /// Sleeps; woken early by nothing but its time.
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
