import HTTPTypes
import Testing

@Suite struct ConditionalTests {
    @Test(
        "a Range header against 1000 bytes",
        arguments: [
            (nil, .whole),
            ("bytes=0-", .part(0..<1000)), ("bytes=0-0", .part(0..<1)), ("bytes=0-999", .part(0..<1000)),
            ("bytes=0-1000", .part(0..<1000)), ("bytes=999-", .part(999..<1000)), ("bytes=500-599", .part(500..<600)),
            ("bytes=-1", .part(999..<1000)), ("bytes=-1000", .part(0..<1000)), ("bytes=-5000", .part(0..<1000)),
            ("bytes=0-99999999999999999999999", .part(0..<1000)),
            ("bytes=1000-", .unsatisfiable), ("bytes=1000-2000", .unsatisfiable), ("bytes=-0", .unsatisfiable),
            ("bytes=99999999999999999999999-", .unsatisfiable),
            ("bytes=5-4", .whole), ("bytes=-", .whole), ("bytes=", .whole), ("bytes=a-b", .whole), ("bytes=1", .whole),
            ("bytes=1-2,4-5", .whole), ("items=0-1", .whole), ("bytes=+1-2", .whole), ("bytes=1--2", .whole),
            ("bytes= 1-2", .whole), ("", .whole),
        ] as [(String?, RangeSelection)])
    func range(header: String?, expected: RangeSelection) {
        #expect(RangeSelection(header: header, size: 1000) == expected)
    }

    @Test("nothing of an empty representation can be selected")
    func emptyRange() {
        #expect(RangeSelection(header: "bytes=0-", size: 0) == .unsatisfiable)
        #expect(RangeSelection(header: "bytes=-1", size: 0) == .unsatisfiable)
        #expect(RangeSelection(header: nil, size: 0) == .whole)
    }

    @Test(
        "If-None-Match against the tag \"abc\"",
        arguments: [
            (nil, false), ("", false), ("\"abc\"", true), ("abc", true), ("W/\"abc\"", true), ("*", true),
            ("\"x\", \"abc\"", true), ("\"x\" ,  W/\"abc\" ", true), ("\"x\",\"y\"", false), ("\"ab\"", false),
            ("\"abcd\"", false), ("w/\"abc\"", false),
        ] as [(String?, Bool)])
    func tag(header: String?, expected: Bool) {
        #expect(EntityTag("abc").matches(ifNoneMatch: header) == expected)
    }

    private func content(_ headers: HTTPHeaders, size: Int = 1000) -> Response {
        let request = Request(method: .get, path: "/", headers: headers)
        return Response.content(
            for: request, size: size, tag: EntityTag("abc"), contentType: "video/mp4", headers: ["X-Kept": "yes"]
        ) { .bytes([UInt8](repeating: 1, count: $0.count)) }
    }

    private func size(_ response: Response) -> Int? {
        if case .bytes(let bytes) = response.body { return bytes.count }
        return nil
    }

    @Test("the whole, a part, unchanged and unsatisfiable each have their status and headers")
    func answers() {
        let whole = content([:])
        #expect(whole.status == .ok && size(whole) == 1000)
        #expect(whole.headers["ETag"] == "\"abc\"" && whole.headers["Accept-Ranges"] == "bytes")
        #expect(whole.headers["X-Kept"] == "yes" && whole.headers["Content-Type"] == "video/mp4")
        let part = content(["Range": "bytes=10-19"])
        #expect(part.status == .partialContent && size(part) == 10)
        #expect(part.headers["Content-Range"] == "bytes 10-19/1000")
        let unchanged = content(["If-None-Match": "\"abc\"", "Range": "bytes=0-1"])
        #expect(unchanged.status == .notModified && unchanged.headers["X-Kept"] == "yes")
        guard case .empty = unchanged.body else {
            Issue.record("304 with a body")
            return
        }
        let outside = content(["Range": "bytes=1000-"])
        #expect(outside.status == .rangeNotSatisfiable)
        #expect(outside.headers["Content-Range"] == "bytes */1000")
    }

    @Test("a range counts only while If-Range names what is there")
    func ifRange() {
        #expect(content(["Range": "bytes=0-1", "If-Range": "\"abc\""]).status == .partialContent)
        #expect(content(["Range": "bytes=0-1", "If-Range": "\"old\""]).status == .ok)
        #expect(content(["Range": "bytes=0-1", "If-Range": "W/\"abc\""]).status == .ok)
        #expect(content(["If-Range": "\"abc\""]).status == .ok)
    }
}
