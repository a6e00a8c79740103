import Base
import ChunkPaxos

/// `POST /chunk/{chunk_id}/commit`
package struct CommitRequest: Codable, Sendable {
    package let nodeUrls: [String]
    package let checksum: SHA256Digest
    package let sizeBytes: Int
    package let videoId: VideoID
    package let sequenceNum: Int
    package let redundancyMode: RedundancyMode?
    /// Which of the video's streams the chunk belongs to; `source`, the manifest's, when absent.
    package let stream: ChunkStream?
    package let startSec: Double?
    package let durationSec: Double?
    /// What the acceptors answered, so that they need not be asked again: the ballot under which they accepted the value
    /// that follows from the fields above, and each one's proof.
    package let ballot: Ballot?
    package let acceptances: [AcceptanceMessage]?

    package init(
        nodeUrls: [String], checksum: SHA256Digest, sizeBytes: Int, videoId: VideoID, sequenceNum: Int,
        redundancyMode: RedundancyMode? = nil, stream: ChunkStream? = nil, startSec: Double? = nil,
        durationSec: Double? = nil, ballot: Ballot? = nil, acceptances: [AcceptanceMessage]? = nil
    ) {
        self.nodeUrls = nodeUrls
        self.checksum = checksum
        self.sizeBytes = sizeBytes
        self.videoId = videoId
        self.sequenceNum = sequenceNum
        self.redundancyMode = redundancyMode
        self.stream = stream
        self.startSec = startSec
        self.durationSec = durationSec
        self.ballot = ballot
        self.acceptances = acceptances
    }
}

package struct CommitResponse: Codable, Sendable {
    package let success: Bool
    package let committedNodes: [String]
    package let message: String

    package init(success: Bool, committedNodes: [String], message: String) {
        self.success = success
        self.committedNodes = committedNodes
        self.message = message
    }
}

// There is one of each for every chunk.

extension CommitRequest: JSONReadable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> CommitRequest {
        var (nodeUrls, checksum, sizeBytes) = ([String]?.none, SHA256Digest?.none, Int?.none)
        var (videoId, sequenceNum, stream) = (VideoID?.none, Int?.none, ChunkStream?.none)
        var (redundancyMode, startSec, durationSec) = (RedundancyMode?.none, Double?.none, Double?.none)
        var (ballot, acceptances) = (Ballot?.none, [AcceptanceMessage]?.none)
        try json.object { (json, key) throws(JSONReader.NotPlain) in
            switch key {
            case "acceptances": try json.take(&acceptances)
            case "ballot": try json.take(&ballot)
            case "checksum": try json.take(&checksum)
            case "duration_sec": try json.take(&durationSec)
            case "node_urls": try json.take(&nodeUrls)
            case "redundancy_mode": try json.take(&redundancyMode)
            case "sequence_num": try json.take(&sequenceNum)
            case "size_bytes": try json.take(&sizeBytes)
            case "start_sec": try json.take(&startSec)
            case "stream": try json.take(&stream)
            case "video_id": try json.take(&videoId)
            default: throw JSONReader.NotPlain()
            }
        }
        guard let nodeUrls, let checksum, let sizeBytes, let videoId, let sequenceNum else {
            throw JSONReader.NotPlain()
        }
        return CommitRequest(
            nodeUrls: nodeUrls, checksum: checksum, sizeBytes: sizeBytes, videoId: videoId, sequenceNum: sequenceNum,
            redundancyMode: redundancyMode, stream: stream, startSec: startSec, durationSec: durationSec,
            ballot: ballot, acceptances: acceptances)
    }
}

extension CommitResponse: JSONWritable {
    package func write(to json: inout JSONWriter) throws(Failure) {
        try json.object { (json) throws(Failure) in
            try json.field("committed_nodes", committedNodes)
            try json.field("message", message)
            try json.field("success", success)
        }
    }
}
