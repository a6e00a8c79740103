import Base
import Digests
import HTTPTypes
import WebAssets

/// Answers requests for the page's files.
///
/// Every file is revalidated on use (`no-cache` and an `ETag`): after an upgrade no browser mixes old modules with new.
struct Pages: Sendable {
    private struct Page: Sendable {
        let content: MemoryRegion
        let contentType: String
        let tag: EntityTag
    }

    private let streaming: ServiceURL
    private let pages: [String: Page]

    /// - Parameter streaming: where the player fetches from; the policy lets it.
    init(_ assets: [WebAsset] = WebAsset.all, streaming: ServiceURL) {
        self.streaming = streaming
        pages = Dictionary(
            uniqueKeysWithValues: assets.map { asset in
                let digest = SHA256.digest(of: asset.content.bytes)
                let page = Page(
                    content: asset.content, contentType: Self.contentType(of: asset.path),
                    tag: EntityTag(String(digest.hex.prefix(32))))
                return (asset.path, page)
            })
    }

    func addRoutes(to router: inout Router) {
        router.add(.get, "/", "The web page") { try .respond(answer("index.html", for: $0)) }
        for path in pages.keys.sorted() {
            router.add(.get, "/" + path, "") { try .respond(answer(path, for: $0)) }
        }
        router.add(.get, "/consensus", "What the storage nodes have agreed on, and how") {
            try .respond(answer("consensus.html", for: $0))
        }
        router.add(.get, "/favicon.ico", "") { try .respond(answer("icon.svg", for: $0)) }
    }

    func answer(_ path: String, for request: any RequestView) throws(Failure) -> Response {
        guard let page = pages[path] else { throw Failure(.notFound, "there is no page '\(path.prefix(80))'") }
        return Response.content(
            for: request, size: page.content.bytes.count, tag: page.tag, contentType: page.contentType,
            headers: [
                "Cache-Control": "no-cache",
                "Content-Security-Policy": policy(browserHost: request.header("Host")),
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "same-origin",
            ]
        ) { .region(page.content[$0]) }
    }

    /// Nothing runs, loads or is sent anywhere but to this site and the streaming service, and no text from a video
    /// can become markup: the page may not use the DOM's HTML-parsing calls at all (trusted types).
    private func policy(browserHost: String?) -> String {
        let streaming = streaming.reachable(from: browserHost).origin
        return [
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' \(streaming)",
            "media-src 'self' blob: \(streaming)",
            "connect-src 'self' \(streaming)",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ].joined(separator: "; ")
    }

    private static func contentType(of path: String) -> String {
        switch path.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        default: preconditionFailure("the web page has a file of unknown type: \(path)")
        }
    }
}
