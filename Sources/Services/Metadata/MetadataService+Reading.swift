import Base
import Catalog
import HTTPTypes
import MetadataAPI

extension MetadataService {
    func addReadingRoutes(to router: inout Router) {
        router.add(.get, "/manifest/{video_id}", "The chunks of a video and where they are") { view in
            let id = try view.videoID()
            let version = self.registry.version
            if self.follower.catchUp(), let entry = self.manifests.find(id, nodesVersion: version) {
                self.counters.manifestsCached.add()
                return .respond(entry.response(for: view))
            }
            let request = view.snapshot()
            return .task { try await self.renderManifest(id).response(for: request) }
        }
        router.add(.get, "/video/{video_id}/layout", "All that a streaming origin needs to know of a video") { view in
            let id = try view.videoID()
            let request = view.snapshot()
            return .task {
                let contents = try await self.requireContents(of: id, stream: nil)
                let layout = try JSON.encode(self.rendering.layout(contents, self.registry.view))
                return ManifestCache.Entry(layout).response(for: request)
            }
        }
    }

    /// Drawn before the catalog is read: nodes and ticket must not be newer than what is rendered.
    private func renderManifest(_ id: VideoID) async throws -> ManifestCache.Entry {
        let nodes = registry.view
        let ticket = manifests.beginRendering(id, nodesVersion: nodes.version)
        let contents = try await requireContents(of: id, stream: .source)
        let entry = ManifestCache.Entry(try JSON.encode(rendering.manifest(contents, nodes)))
        manifests.insert(entry, for: id, ticket)
        counters.manifestsRendered.add()
        return entry
    }

    private func requireContents(of id: VideoID, stream: ChunkStream?) async throws -> VideoContents {
        guard let contents = try await catalog.contents(of: id, stream: stream) else {
            throw Failure(.notFound, "there is no video \(id)")
        }
        return contents
    }
}

extension ManifestCache.Entry {
    func response(for request: any RequestView) -> Response {
        Response.content(
            for: request, size: body.bytes.count, tag: tag, contentType: "application/json",
            headers: ["Cache-Control": "no-cache"]
        ) { .region(body[$0]) }
    }
}
