import Base
import HTTPTypes

/// A whole answer to whoever asks for an asset, made once and sent any number of times.
final class Answer: Sendable {
    /// What an answer takes beside its bytes, so that many small ones are bounded too.
    private static let overheadBytes = 2 * ByteCount.kibibyte

    let tag: EntityTag
    let bytes: MemoryRegion
    private let contentType: String
    private let cacheControl: String
    private let whole: PreparedResponse

    init(_ bytes: MemoryRegion, tag: EntityTag, contentType: String, cacheControl: String) {
        self.tag = tag
        self.bytes = bytes
        self.contentType = contentType
        self.cacheControl = cacheControl
        let anyone = Request(method: .get, path: "")
        whole = PreparedResponse(Self.response(to: anyone, bytes, tag, contentType, cacheControl))
    }

    /// What keeping it costs.
    var cost: Int { bytes.bytes.count + Self.overheadBytes }

    /// On the server's own thread, by the answer made before where the request asks for nothing special.
    func reply(to view: any RequestView) -> Reply {
        guard view.header("Range") == nil, view.header("If-None-Match") == nil else {
            return .respond(response(to: view))
        }
        return .prepared(whole)
    }

    /// The bytes are sent as they lie, whatever part of them is asked for.
    func response(to view: any RequestView) -> Response {
        Self.response(to: view, bytes, tag, contentType, cacheControl)
    }

    private static func response(
        to view: any RequestView, _ bytes: MemoryRegion, _ tag: EntityTag, _ contentType: String, _ cacheControl: String
    ) -> Response {
        Response.content(
            for: view, size: bytes.bytes.count, tag: tag, contentType: contentType,
            headers: ["Cache-Control": cacheControl]
        ) { .region(bytes[$0]) }
    }
}
