import Base
import Foundation
import HTTPTypes
import Testing
import WebAssets

@testable import WebSite

@Suite struct PagesTests {
    /// `Sources/Web` of this checkout.
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Web")

    @Test("every file of Sources/Web is in the binary, byte for byte")
    func completeness() throws {
        let base = Self.folder.standardizedFileURL.path(percentEncoded: false) + "/"
        let walker = try #require(FileManager.default.enumerator(atPath: base))
        let files = walker.compactMap { $0 as? String }
            .filter { ["html", "css", "js", "svg"].contains(($0 as NSString).pathExtension) }
        #expect(files.count > 10)
        #expect(Set(WebAsset.all.map(\.path)) == Set(files))
        for asset in WebAsset.all {
            let onDisk = try Data(contentsOf: URL(filePath: base + asset.path))
            #expect(Data(asset.content.bytes) == onDisk, "\(asset.path) is stale in the binary")
        }
    }

    @Test(
        "a file is served with the type its name says",
        arguments: [
            ("/", "text/html; charset=utf-8"), ("/index.html", "text/html; charset=utf-8"),
            ("/css/base.css", "text/css; charset=utf-8"), ("/js/app.js", "text/javascript; charset=utf-8"),
            ("/icons.svg", "image/svg+xml"), ("/favicon.ico", "image/svg+xml"),
        ])
    func contentTypes(path: String, type: String) async throws {
        let answer = try await Site().call(.get, path)
        #expect(answer.status == .ok)
        #expect(answer.headers["Content-Type"] == type)
        #expect(answer.headers["X-Content-Type-Options"] == "nosniff")
        #expect(answer.headers["Cache-Control"] == "no-cache")
        #expect(!answer.bytes.isEmpty)
    }

    @Test("a file that the browser still has is not sent again")
    func revalidation() async throws {
        let site = try Site()
        let tag = try #require(await site.call(.get, "/js/app.js").headers["ETag"])
        let again = await site.call(.get, "/js/app.js", headers: ["If-None-Match": tag])
        #expect(again.status == .notModified)
        #expect(again.bytes.isEmpty)
        let other = await site.call(.get, "/css/base.css", headers: ["If-None-Match": tag])
        #expect(other.status == .ok)
    }

    @Test("the policy allows this site and the streaming service as the browser reaches it, and nothing else")
    func policy() async throws {
        let answer = try await Site().call(.get, "/", headers: ["Host": "video.example:8085"])
        let policy = try #require(answer.headers["Content-Security-Policy"])
        #expect(policy.contains("default-src 'self';"))
        #expect(policy.contains("connect-src 'self' http://video.example:8004;"))
        #expect(policy.contains("media-src 'self' blob: http://video.example:8004;"))
        #expect(policy.contains("script-src 'self';"))
        #expect(!policy.contains("unsafe"))
        #expect(!policy.contains("*"))
    }

    @Test(
        "a Host header that is no host does not get into the policy",
        arguments: ["evil; script-src *", "a b", "", "[::1", "host:port", "x\r\ny", "a,b"])
    func hostileHost(host: String) async throws {
        let policy = try await Site().call(.get, "/", headers: ["Host": host]).headers["Content-Security-Policy"]
        #expect(policy?.contains("connect-src 'self' http://localhost:8004;") == true)
    }

    @Test("the page holds no inline script, style or handler, and names no other site")
    func pageKeepsItsPolicy() async throws {
        let page = try await Site().call(.get, "/").text
        #expect(page.matches(of: /<script(?![^>]*\ssrc=)/).isEmpty)
        #expect(page.matches(of: /<style|\sstyle=|\son[a-z]+=/).isEmpty)
        for asset in WebAsset.all where !asset.path.hasSuffix(".svg") {
            let text = String(decoding: asset.content.bytes, as: UTF8.self)
            let addresses = text.matches(of: /https?:\/\/[^\s"'`)]+/).map(\.output)
            // The name of the SVG namespace is no address that anything is fetched from.
            #expect(addresses.allSatisfy { $0 == "http://www.w3.org/2000/svg" }, "\(asset.path): \(addresses)")
            #expect(text.matches(of: /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/).isEmpty)
        }
    }

    @Test("every file that the page and its modules name exists")
    func referencesResolve() async throws {
        let site = try Site()
        let paths = Set(WebAsset.all.map { "/" + $0.path })
        for asset in WebAsset.all where asset.path.hasSuffix(".js") || asset.path.hasSuffix(".html") {
            let text = String(decoding: asset.content.bytes, as: UTF8.self)
            for match in text.matches(of: /(?:href|src)="(\/[a-z][^"#]*)/) {
                let status = await site.call(.get, String(match.output.1)).status
                #expect(status == .ok, "\(asset.path) names \(match.output.1)")
            }
            for match in text.matches(of: /from "\.(\/[^"]+)"/) {
                #expect(paths.contains("/js" + match.output.1), "\(asset.path) imports .\(match.output.1)")
            }
        }
    }
}
