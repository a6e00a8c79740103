import Base
import MetadataAPI

extension Command {
    static let videos = Command(
        name: "videos", summary: "List the videos.",
        options: [
            CommandOption("limit", "N", "At most so many (default 100, at most 1000)."),
            CommandOption("offset", "N", "Leave out so many of the newest (default 0)."),
        ] + Cluster.options
    ) { invocation in
        let limit = try invocation.integer("limit", default: 100, in: 1...1_000)
        let offset = try invocation.integer("offset", default: 0, in: 0...Int.max)
        return try await Cluster.with(invocation) { cluster in
            let videos = try await cluster.metadata.videos(limit: limit, offset: offset)
            var table = Table(["ID", "STATUS", "SECONDS", "SIZE", "VIEWS", "TITLE"])
            for video in videos {
                table.add([
                    "\(video.videoId)", video.status.rawValue, "\((video.durationSec * 10).rounded() / 10)",
                    ByteCount.text(video.sizeBytes), "\(video.viewCount)", video.title,
                ])
            }
            Output.line(table.text)
            return 0
        }
    }

    static let nodes = Command(
        name: "nodes", summary: "List the storage nodes and how they are.", options: Cluster.options
    ) { invocation in
        try await Cluster.with(invocation) { cluster in
            let nodes = try await cluster.metadata.nodes()
            var table = Table(["NODE", "STATUS", "DISK", "CHUNKS", "DAMAGED", "URL", "LAST HEARTBEAT"])
            for node in nodes {
                table.add([
                    "\(node.nodeId)", node.status.rawValue, "\((node.diskUsagePercent * 10).rounded() / 10) %",
                    "\(node.chunkCount)", "\(node.corruptChunks.count)", node.nodeUrl, "\(node.lastHeartbeat)",
                ])
            }
            Output.line(table.text)
            for node in nodes {
                if let impairment = node.impairment { Output.line(Table.printable("\(node.nodeId): \(impairment)")) }
            }
            return 0
        }
    }

    static let delete = Command(
        name: "delete", summary: "Delete a video and, in time, its chunks.", operands: ["VIDEO"],
        options: Cluster.options
    ) { invocation in
        let id = try invocation.videoID()
        return try await Cluster.with(invocation) { cluster in
            try await cluster.metadata.deleteVideo(id)
            Output.line("deleted \(id)")
            return 0
        }
    }
}
