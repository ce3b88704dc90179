import Testing

@testable import API

@Suite("The path of a request")
struct PathTests {
    @Test(
        "The path is split at slashes, and its segments are percent-decoded afterwards",
        arguments: [
            ("/", [""]), ("/health", ["health"]), ("/a/b", ["a", "b"]), ("/a%2Fb/c", ["a/b", "c"]),
            ("/%70rioritized", ["prioritized"]), ("/a%2f%2F", ["a//"]), ("/100%25", ["100%"]), ("/%2525", ["%25"]),
            ("/a+b", ["a+b"]), ("/%C5%8Ctaki%20", ["Ōtaki "]), ("/e%CC%81", ["e\u{301}"]), ("/a%3Fb?c", ["a?b"]),
            ("/a;b=c", ["a;b=c"]), ("/./..", [".", ".."]), ("/%0A", ["\n"]), ("/a?b?c/d", ["a"]), ("/a?", ["a"]),
        ] as [(String, [String])])
    func segments(target: String, segments: [String]) throws {
        guard segments != [""] else {
            // An empty segment. No route has one.
            #expect(request(target).path == nil)
            return
        }
        let path = try #require(request(target).path)
        #expect(path.map { Array($0.utf8) } == segments.map { Array($0.utf8) })
    }

    @Test(
        "A path with a segment that is empty, not text or wrongly encoded is refused",
        arguments: [
            "", "health", "?a=b", "*", "http://host/health", "//", "/health/", "//health", "/a//b", "/a/?b", "/%00",
            "/a%00b",
            "/%", "/%2", "/%2G", "/%G2", "/% 2", "/%%20", "/a%2", "/%FF", "/%C5", "/%C0%AF", "/%ED%A0%80",
            "/%F5%80%80%80",
        ])
    func none(target: String) {
        #expect(request(target).path == nil)
    }

    @Test("Raw bytes in a path are text if they are UTF-8, and are refused otherwise")
    func rawBytes() {
        #expect(Request(method: "GET", target: [0x2F, 0xFF]).path == nil)
        #expect(Request(method: "GET", target: [0x2F, 0x61, 0x00]).path == nil)
        #expect(Request(method: "GET", target: Array("/Ōtaki".utf8)).path == ["Ōtaki"])
    }
}

@Suite("A query parameter")
struct QueryParameterTests {
    /// The value of `p`, or the messages of its errors.
    private func value(_ query: String) -> (value: String?, errors: [String]) {
        var errors = FieldErrors()
        let value = request("/?" + query).parameters.value(of: "p", &errors)
        #expect(errors.list.allSatisfy { $0.field == "p" })
        return (value, errors.list.map(\.message))
    }

    @Test(
        "A value is decoded in the way that browsers encode it",
        arguments: [
            ("p=a", "a"), ("p=a+b", "a b"), ("p=a%2Bb", "a+b"), ("p=a%2Cb,c", "a,b,c"), ("p=a=b", "a=b"),
            ("p=%3D%26", "=&"),
            ("%70=a", "a"), ("q=1&p=a&q=2", "a"), ("&&p=a&", "a"), ("p=%C5%8C", "Ō"), ("p=a?b", "a?b"), ("p=+", " "),
            ("p=a;q=b", "a;q=b"), ("p=a/b#", "a/b#"), ("%=1&p=a", "a"), ("P=b&p=a", "a"), ("p%00=b&p=a", "a"),
        ])
    func decoded(query: String, expected: String) {
        let (value, errors) = value(query)
        #expect(value == expected)
        #expect(errors == [])
    }

    @Test(
        "A parameter is absent if only others were sent",
        arguments: ["", "q=p", "P=a", "=a", "pp=a", "p+=a", "&", "%p=a"])
    func absent(query: String) {
        let (value, errors) = value(query)
        #expect(value == nil)
        #expect(errors == [])
    }

    @Test(
        "A value that is empty, repeated or not text is an error",
        arguments: [
            ("p", "is empty"), ("p=", "is empty"), ("q&p&q", "is empty"), ("p=a&p=a", "2 times"),
            ("p=a&p=b&%70=c", "3 times"),
            ("p&p=a", "2 times"), ("p=a&p=%FF", "2 times"), ("p=%", "not percent-encoded"),
            ("p=%4", "not percent-encoded"),
            ("p=%zz", "not percent-encoded"), ("p=%FF", "not percent-encoded"), ("p=%00", "not percent-encoded"),
            ("p=a%00b", "not percent-encoded"), ("p=%ED%A0%80", "not percent-encoded"),
            ("p=%C0%80", "not percent-encoded"),
        ])
    func invalid(query: String, message: String) {
        let (value, errors) = value(query)
        #expect(value == nil)
        #expect(errors.count == 1)
        #expect(errors.first?.contains(message) == true)
    }

    @Test("A name with decomposed letters is not the name with composed letters")
    func composition() {
        var errors = FieldErrors()
        let parameters = request("/?e%CC%81=1").parameters
        #expect(parameters.value(of: "é", &errors) == nil)
        #expect(errors.list == [])
    }
}

@Suite("The Content-Type of a body")
struct ContentTypeTests {
    private func isJSON(_ contentType: String?) -> Bool {
        Request(method: "POST", target: [0x2F], contentType: contentType).hasJSONBody
    }

    @Test(
        "application/json is accepted in any case and with any parameters",
        arguments: [
            "application/json", "Application/JSON", "APPLICATION/JSON;charset=UTF-8", "application/json; charset=utf-8",
            "application/json ; x", " \tapplication/json\t ", "application/json;", "application/json;;",
        ])
    func json(contentType: String) {
        #expect(isJSON(contentType))
    }

    @Test(
        "A missing or different type is not accepted as JSON",
        arguments: [
            nil, "", " ", ";", ";application/json", "application/jsonx", "application/json+x",
            "application/problem+json",
            "text/json", "json", "application", "application/", "application/json, text/plain", "application / json",
            "application/json\u{A0}", "applicatıon/json", "multipart/form-data", "\"application/json\"", "*/*",
            "application\u{0F}json", "application/\u{0A}son",
        ])
    func other(contentType: String?) {
        #expect(!isJSON(contentType))
    }
}

@Suite("The Content-Encoding of a body")
struct ContentEncodingTests {
    private func isPlain(_ bytes: [UInt8]?) -> Bool {
        Request(method: "POST", target: [0x2F], contentEncoding: bytes).isBodyPlain
    }

    @Test(
        "A list that contains only identity, in any case, means a plain body",
        arguments: [
            "", " ", "identity", "IDENTITY", " \tidentity\t ", "identity, Identity", "identity,,identity", ",",
            ", identity ,",
        ])
    func plain(text: String) {
        #expect(isPlain(nil))
        #expect(isPlain(Array(text.utf8)))
    }

    @Test(
        "A list with another coding means an encoded body",
        arguments: [
            "gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "compress", "aws-chunked", "identity, gzip",
            "gzip, identity",
            "gzip, gzip", "identity;q=1", "\"identity\"", "identity identity", "ident", "identityx", "*", "é",
            "\u{130}dentity",
            "identity\n", "\0",
        ])
    func encoded(text: String) {
        #expect(!isPlain(Array(text.utf8)))
        #expect(!isPlain([0xFF]))
    }
}

@Suite("Headers that may be sent only once")
struct SingleHeaderTests {
    @Test("Every header that was sent more than once is named in the problem")
    func repeated() {
        let request = Request(method: "POST", target: [0x2F], repeatedHeaders: [.contentType, .origin])
        let problem = problem { try request.checkHeaders() }
        #expect(problem?.status == 422)
        #expect(problem?.errors.map(\.field) == ["Content-Type", "Origin"])
    }

    @Test("A request without a repeated header has no problem")
    func once() {
        #expect(problem { try request("/").checkHeaders() } == nil)
    }
}
