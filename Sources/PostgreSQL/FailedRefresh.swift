import CPostgreSQL

/// Derived data that could not be brought up to date for an answer, which is the plain one then
/// (`sql/flat/60_refresh_on_read.sql`).
public struct FailedRefresh: Sendable {
    public let organization: String
    public let error: PostgreSQLError
}

extension Connection {
    static func receive(_ notice: OpaquePointer?, for connection: UnsafeMutableRawPointer?) {
        guard let connection, let notice else { return }
        Unmanaged<Connection>.fromOpaque(connection).takeUnretainedValue().note(notice)
    }

    /// Of all notices one is for us: its detail begins with the code of what went wrong.
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

    /// What has failed since this was last asked.
    func takeFailedRefreshes() -> [FailedRefresh] {
        guard !failedRefreshes.isEmpty else { return [] }
        defer { failedRefreshes = [] }
        return failedRefreshes
    }
}
