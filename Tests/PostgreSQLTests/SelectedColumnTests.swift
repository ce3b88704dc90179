import PostgreSQL
import Testing

@Suite("Selected columns")
struct SelectedColumnTests {
    private enum Column: Int, SelectedColumn {
        case number, failingSince
    }

    @Test("A case has the name of a column, with an underscore before each word")
    func names() {
        #expect(Column.names == ["number", "failing_since"])
        #expect(Column.selected == "number, failing_since")
    }
}
