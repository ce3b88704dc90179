import Synchronization
import Threads

/// The limits of open streams: of one subject, and of the process.
public final class StreamPlaces: Sendable {
    private struct State {
        var ofSubject: [[UInt8]: Int] = [:]
        var all = 0
        var refused = Refused()
    }

    /// How many openings were refused by each limit.
    public struct Refused: Sendable {
        public var ofSubject = 0
        public var ofProcess = 0
    }

    public static let mostOfSubject = 8
    public static let mostOfProcess = 5000

    private let state = Monitor(State())
    private let mostOfSubject: Int
    private let mostOfProcess: Int

    public init(
        mostOfSubject: Int = StreamPlaces.mostOfSubject, mostOfProcess: Int = StreamPlaces.mostOfProcess
    ) {
        (self.mostOfSubject, self.mostOfProcess) = (mostOfSubject, mostOfProcess)
    }

    /// How many openings were refused since the start.
    public var refused: Refused { state.withLock { $0.refused } }

    /// Takes a place of the subject. Nil if it has as many streams as it may have.
    public func take(subject: String) -> StreamPlace? {
        let subject = Array(subject.utf8)
        let isTaken = state.withLock { state in
            guard state.ofSubject[subject, default: 0] < mostOfSubject else {
                state.refused.ofSubject += 1
                return false
            }
            state.ofSubject[subject, default: 0] += 1
            return true
        }
        return isTaken ? StreamPlace(self, subject) : nil
    }

    fileprivate func takeOfProcess() -> Bool {
        state.withLock { state in
            guard state.all < mostOfProcess else {
                state.refused.ofProcess += 1
                return false
            }
            state.all += 1
            return true
        }
    }

    fileprivate func release(_ subject: [UInt8], isOfProcess: Bool) {
        state.withLock { state in
            let left = (state.ofSubject[subject] ?? 1) - 1
            state.ofSubject[subject] = left > 0 ? left : nil
            if isOfProcess { state.all -= 1 }
        }
    }
}

/// A stream's place within the limits. It is released with the last reference.
public final class StreamPlace: Sendable {
    private let places: StreamPlaces
    private let subject: [UInt8]
    private let isOfProcess = Atomic<Bool>(false)

    fileprivate init(_ places: StreamPlaces, _ subject: [UInt8]) { (self.places, self.subject) = (places, subject) }

    deinit { places.release(subject, isOfProcess: isOfProcess.load(ordering: .relaxed)) }

    /// Takes a place of the process too. Call it once. False if the process has as many streams as it may have.
    public func takeOfProcess() -> Bool {
        let isTaken = places.takeOfProcess()
        isOfProcess.store(isTaken, ordering: .relaxed)
        return isTaken
    }
}
