import Base
import HTTPClient
import HTTPTypes
import Hosting
import MetadataAPI
import SmartClient

/// The streaming role (port 8004): HLS playlists, segments and originals, assembled from chunks while they are asked
/// for. It keeps nothing but caches.
package final class StreamingService: Service {
    package let name = "streaming_service"
    package let metrics = Metrics()

    private let configuration: StreamingConfiguration
    private let origin: StreamingOrigin

    /// - Parameter http: shared with other roles; the service does not shut it down.
    package convenience init(configuration: StreamingConfiguration, http: HTTPClient) throws {
        let origin = StreamingOrigin(
            layouts: MetadataClient(configuration.metadataURL, http: http), chunks: ChunkFetcher(http: http),
            cacheBytes: configuration.cacheBytes)
        self.init(configuration: configuration, origin: origin)
    }

    package init(configuration: StreamingConfiguration, origin: StreamingOrigin) {
        self.configuration = configuration
        self.origin = origin
        metrics.gauge("vstack_stream_cache_bytes", "Bytes of answers kept in memory.") { Double(origin.cachedBytes) }
        metrics.gauge("vstack_stream_memory_bytes", "Bytes of answers that are kept, being made or still being sent.") {
            Double(origin.memoryBytes)
        }
        metrics.counter("vstack_stream_cache_hits_total", "Requests answered from memory.") { origin.cacheHits }
        metrics.counter("vstack_stream_cache_misses_total", "Answers that had to be made.") { origin.cacheMisses }
    }

    package func addRoutes(to router: inout Router) {
        let origin = origin
        let root = "/stream/{video_id}"
        router.add(.get, "\(root)/master.m3u8", "Master playlist (HLS)") { try origin.reply(to: $0, .master) }
        router.add(.get, "\(root)/manifest.mpd", "Manifest (DASH)") { try origin.reply(to: $0, .manifest) }
        router.add(.get, "\(root)/qualities", "The renditions there are") { try origin.reply(to: $0, .qualities) }
        router.task(.get, "\(root)/original", "The uploaded file, bit for bit; takes Range") {
            try await origin.original($0)
        }
        router.add(.get, "\(root)/thumbnail.jpg", "A picture of the video") { try origin.reply(to: $0, .thumbnail) }
        router.add(.get, "\(root)/{quality}/playlist.m3u8", "Media playlist of a rendition (HLS)") {
            try origin.reply(to: $0, .playlist(quality: $0.parameters["quality"]))
        }
        router.add(.get, "\(root)/{quality}/init.mp4", "Initialization segment (CMAF)") {
            try origin.reply(to: $0, .initialization(quality: $0.parameters["quality"]))
        }
        router.add(.get, "\(root)/{quality}/{segment}", "Media segment (CMAF): segment-00000.m4s and on") {
            try origin.segment($0)
        }
        router.task(.get, "\(root)/{asset_path:path}", "Any other asset: says which there are") {
            try await origin.unknownAsset($0)
        }
    }

    package func health() async -> HealthReport {
        HealthReport(
            status: "healthy",
            fields: [
                "metadata_service_url": .text(configuration.metadataURL), "cached_bytes": .integer(origin.cachedBytes),
            ])
    }
}
