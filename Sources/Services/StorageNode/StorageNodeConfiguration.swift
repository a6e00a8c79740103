import Base
import ChunkStore

/// What a storage node is told from outside.
package struct StorageNodeConfiguration: Sendable {
    /// `NODE_ID`
    package var nodeID: NodeID
    /// `NODE_URL`: how others reach the node; nil means the address it serves on.
    package var nodeURL: String?
    /// `NODE_ZONE`: what fails together with the node, such as a rack; nil when it names none.
    package var zone: String?
    /// `DATA_DIR`
    package var dataDirectory: String
    /// `METADATA_SERVICE_URL`; nil (given, but empty) means that the node serves alone and registers nowhere.
    package var metadataURL: String?
    /// `HEARTBEAT_INTERVAL`
    package var heartbeatSeconds: Double
    /// `MAX_SUPERBLOCK_SIZE` in bytes, or `MAX_SUPERBLOCK_SIZE_MB`
    package var superblockBytesMax: Int
    /// `MAX_CHUNK_SIZE`
    package var chunkBytesMax: Int
    /// `COMPACTION_LIVE_PERCENT`: a superblock of which less is needed is emptied and removed.
    package var compactionLivePercent: Int
    /// `COMPACTION_BYTES_PER_SEC`
    package var compactionBytesPerSecond: Int
    /// `DISK_WARNING_PERCENT`: from here on, `/health` warns.
    package var diskWarningPercent: Double
    /// `DISK_CRITICAL_PERCENT`: beyond it, writes are refused.
    package var diskCriticalPercent: Double
    /// `SCRUB_BYTES_PER_SEC`: how fast what is stored is verified; 0: only when somebody asks.
    package var scrubBytesPerSecond: Int
    /// `SCRUB_INTERVAL`: seconds from the beginning of one pass to that of the next, at least.
    package var scrubIntervalSeconds: Double

    /// - Throws: ``Failure`` that names the setting that cannot be used.
    package init(settings: Settings) throws(Failure) {
        let name = settings.text("NODE_ID", default: "storage-node-1")
        guard let nodeID = NodeID(name) else {
            throw Failure(
                .invalidArgument, "NODE_ID is '\(name.prefix(80))': it must be 1 to 128 printable characters, no spaces"
            )
        }
        self.nodeID = nodeID
        nodeURL = try Self.url("NODE_URL", settings.text("NODE_URL"))
        zone = try Self.zone(settings.text("NODE_ZONE"))
        dataDirectory = settings.text("DATA_DIR", default: "./data/storage1")
        let metadata = settings.textAllowingEmpty("METADATA_SERVICE_URL") ?? "http://localhost:8080"
        metadataURL = try Self.url("METADATA_SERVICE_URL", metadata.isEmpty ? nil : metadata)
        heartbeatSeconds = try settings.number("HEARTBEAT_INTERVAL", default: 10, in: 0.05...3600)
        superblockBytesMax = try Self.superblockBytesMax(settings)
        chunkBytesMax = try settings.integer(
            "MAX_CHUNK_SIZE", default: 2 * ByteCount.mebibyte, in: 1...64 * ByteCount.mebibyte)
        compactionLivePercent = try settings.integer("COMPACTION_LIVE_PERCENT", default: 50, in: 1...90)
        compactionBytesPerSecond = try settings.integer(
            "COMPACTION_BYTES_PER_SEC", default: 32 * ByteCount.mebibyte, in: 1...64 * ByteCount.gibibyte)
        diskWarningPercent = try settings.number("DISK_WARNING_PERCENT", default: 85, in: 0...100)
        diskCriticalPercent = try settings.number("DISK_CRITICAL_PERCENT", default: 95, in: 0...100)
        let scrubbing = Scrubber.Options()
        scrubBytesPerSecond = try settings.integer(
            "SCRUB_BYTES_PER_SEC", default: scrubbing.bytesPerSecond, in: 0...1 << 40)
        scrubIntervalSeconds = try settings.number(
            "SCRUB_INTERVAL", default: scrubbing.intervalSeconds, in: 0...Self.scrubIntervalSecondsMax)
    }

    /// Ten years.
    private static let scrubIntervalSecondsMax: Double = 10 * 366 * 24 * 3600
    /// A record tells its length in 32 bits, and one may have to cover a hole of any size.
    private static let superblockLimit = 4 * ByteCount.gibibyte - 1

    private static func superblockBytesMax(_ settings: Settings) throws(Failure) -> Int {
        if settings.text("MAX_SUPERBLOCK_SIZE") == nil, settings.text("MAX_SUPERBLOCK_SIZE_MB") != nil {
            let megabytes = try settings.integer("MAX_SUPERBLOCK_SIZE_MB", default: 1024, in: 1...4095)
            return megabytes * ByteCount.mebibyte
        }
        return try settings.integer("MAX_SUPERBLOCK_SIZE", default: ByteCount.gibibyte, in: 1...superblockLimit)
    }

    private static func zone(_ text: String?) throws(Failure) -> String? {
        guard let text else { return nil }
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Failure(
                .invalidArgument,
                "NODE_ZONE is '\(text.prefix(80))': it must be 1 to 64 printable characters, no spaces"
            )
        }
        return text
    }

    private static func url(_ name: String, _ text: String?) throws(Failure) -> String? {
        guard let text else { return nil }
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            throw Failure(.invalidArgument, "\(name) is '\(text.prefix(200))': it must begin with http:// or https://")
        }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
