/// The page at a problem's `type`, which explains the problem to people (RFC 9457 section 3.1.1).
public enum ProblemPage {
    /// - Throws: a 404 if no problem has this name.
    public static func response(_ name: String?) throws(Problem) -> Response {
        guard let kind = ProblemKind.allCases.first(where: { $0.rawValue == name }) else { throw .noRoute }
        return Response(
            status: 200, contentType: "text/html; charset=utf-8", headers: [Header("Content-Security-Policy", policy)],
            body: Array(html(kind).utf8))
    }

    private static func html(_ kind: ProblemKind) -> String {
        let explanation = kind.explanation
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(escaped(explanation.title)) · Reengagement API</title>
            <style>\(style)</style>
            </head>
            <body>
            <main>
            <p><code>\(kind.type)</code> · status \(explanation.status)</p>
            <h1>\(escaped(explanation.title))</h1>
            <p>\(escaped(explanation.cause))</p>
            <h2>What to do</h2>
            <p>\(escaped(explanation.remedy))</p>
            </main>
            </body>
            </html>

            """
    }

    static let style =
        ":root{color-scheme:light dark}body{font:1rem/1.6 system-ui,sans-serif}main{max-width:40rem;margin:3rem auto;padding:0 1rem}"

    /// Allows only the page's own style. The digest is that of ``style``.
    private static let policy =
        "default-src 'none'; style-src 'sha256-FWCPGOws5k3VKfe2K45wMR1VgqGqjzB3ORuQDH8I5vM='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
    }
}
