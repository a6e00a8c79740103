import Base

/// What a storage node is told from outside.
package struct StorageNodeConfiguration: Sendable {
    /// `NODE_ID`
    package var nodeID: NodeID
    /// `NODE_URL`: how others reach the node; nil means the address it serves on.
    package var nodeURL: String?
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
        dataDirectory = settings.text("DATA_DIR", default: "./data/storage1")
        let metadata = settings.textAllowingEmpty("METADATA_SERVICE_URL") ?? "http://localhost:8080"
        metadataURL = try Self.url("METADATA_SERVICE_URL", metadata.isEmpty ? nil : metadata)
        heartbeatSeconds = try settings.number("HEARTBEAT_INTERVAL", default: 10, in: 0.05...3600)
        superblockBytesMax = try Self.superblockBytesMax(settings)
        chunkBytesMax = try settings.integer(
            "MAX_CHUNK_SIZE", default: 2 * ByteCount.mebibyte, in: 1...64 * ByteCount.mebibyte)
        compactionLivePercent = try settings.integer("COMPACTION_LIVE_PERCENT", default: 50, in: 1...90)
        compactionBytesPerSecond = try settings.integer(
            "COMPACTION_BYTES_PER_SEC", default: 64 * ByteCount.mebibyte, in: 1...64 * ByteCount.gibibyte)
        diskWarningPercent = try settings.number("DISK_WARNING_PERCENT", default: 85, in: 0...100)
        diskCriticalPercent = try settings.number("DISK_CRITICAL_PERCENT", default: 95, in: 0...100)
    }

    /// A record tells its length in 32 bits, and one may have to cover a hole of any size.
    private static let superblockLimit = 4 * ByteCount.gibibyte - 1

    private static func superblockBytesMax(_ settings: Settings) throws(Failure) -> Int {
        if settings.text("MAX_SUPERBLOCK_SIZE") == nil, settings.text("MAX_SUPERBLOCK_SIZE_MB") != nil {
            let megabytes = try settings.integer("MAX_SUPERBLOCK_SIZE_MB", default: 1024, in: 1...4095)
            return megabytes * ByteCount.mebibyte
        }
        return try settings.integer("MAX_SUPERBLOCK_SIZE", default: ByteCount.gibibyte, in: 1...superblockLimit)
    }

    private static func url(_ name: String, _ text: String?) throws(Failure) -> String? {
        guard let text else { return nil }
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            throw Failure(.invalidArgument, "\(name) is '\(text.prefix(200))': it must begin with http:// or https://")
        }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
