import JWT
import Threads

/// The subjects that have opened a stream in the current hour. Only the first opening is recorded in the audit, because
/// a stream contains no patient and a page opens it again and again.
final class FirstOpenings: Sendable {
    private struct Subject: Hashable {
        let subject: [UInt8]
        let organization: [UInt8]

        init(_ claims: Claims) {
            (subject, organization) = (Array(claims.subject.utf8), Array((claims.organization ?? "").utf8))
        }
    }

    private struct State {
        var hour = 0
        var subjects: Set<Subject> = []
    }

    private static let hour = 3600.0

    private let state = Monitor(State())

    /// Notes an opening. True if it is the first of its subject in the hour.
    ///
    /// - Parameter time: the wall clock, in seconds since 1970.
    func note(_ claims: Claims, at time: Double) -> Bool {
        let hour = Int((time / Self.hour).rounded(.down))
        return state.withLock { state in
            if state.hour != hour { state = State(hour: hour) }
            return state.subjects.insert(Subject(claims)).inserted
        }
    }

    /// Makes the next opening of the subject the first again.
    func forget(_ claims: Claims) { state.withLock { _ = $0.subjects.remove(Subject(claims)) } }
}
