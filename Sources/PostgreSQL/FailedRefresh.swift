import CPostgreSQL

/// A failed refresh of the derived data for a response.
///
/// The plain query then computes the response (`sql/flat/60_refresh_on_read.sql`).
public struct FailedRefresh: Sendable {
    public let organization: String
    public let error: PostgreSQLError
}

extension Connection {
    static func receive(_ notice: OpaquePointer?, for connection: UnsafeMutableRawPointer?) {
        guard let connection, let notice else { return }
        Unmanaged<Connection>.fromOpaque(connection).takeUnretainedValue().note(notice)
    }

    /// Records a failed refresh, the only notice that the server reads. Its detail begins with the error's code.
    private func note(_ notice: OpaquePointer) {
        guard text(notice, reengagement_PG_DIAG_SQLSTATE) == SQLState.refreshFailed.code,
            let detail = text(notice, reengagement_PG_DIAG_MESSAGE_DETAIL)
        else { return }
        let error = PostgreSQLError(state: SQLState(String(detail.prefix(5))), message: String(detail.dropFirst(7)))
        failedRefreshes.append(FailedRefresh(organization: organization, error: error))
    }

    func text(_ result: OpaquePointer, _ field: CInt) -> String? {
        PQresultErrorField(result, field).map { String(cString: $0) }
    }

    /// Removes and returns the failed refreshes.
    func takeFailedRefreshes() -> [FailedRefresh] {
        guard !failedRefreshes.isEmpty else { return [] }
        defer { failedRefreshes = [] }
        return failedRefreshes
    }
}
