import Base

// A value is read and written with every copy of a chunk.

extension ChunkValue: JSONReadable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> ChunkValue {
        var (videoId, stream, sequence, sizeBytes) = (VideoID?.none, ChunkStream?.none, Int?.none, Int?.none)
        var (checksum, redundancyMode, group) = (SHA256Digest?.none, RedundancyMode?.none, String?.none)
        var (nodes, acceptors) = ([NodeID]?.none, [AcceptorID]?.none)
        var (startSec, durationSec) = (Double?.none, Double?.none)
        try json.object { (json, key) throws(JSONReader.NotPlain) in
            switch key {
            case "acceptors": try json.take(&acceptors)
            case "checksum": try json.take(&checksum)
            case "duration_sec": try json.take(&durationSec)
            case "group": try json.take(&group)
            case "nodes": try json.take(&nodes)
            case "redundancy_mode": try json.take(&redundancyMode)
            case "sequence": try json.take(&sequence)
            case "size_bytes": try json.take(&sizeBytes)
            case "start_sec": try json.take(&startSec)
            case "stream": try json.take(&stream)
            case "video_id": try json.take(&videoId)
            default: throw JSONReader.NotPlain()
            }
        }
        guard let videoId, let stream, let sequence, let sizeBytes, let checksum, let redundancyMode, let group,
            let nodes, let startSec, let durationSec
        else { throw JSONReader.NotPlain() }
        return ChunkValue(
            videoId: videoId, stream: stream, sequence: sequence, sizeBytes: sizeBytes, checksum: checksum,
            redundancyMode: redundancyMode, group: group, nodes: nodes, acceptors: acceptors, startSec: startSec,
            durationSec: durationSec)
    }
}

extension ChunkValue: JSONWritable {
    package func write(to json: inout JSONWriter) throws(Failure) {
        try json.object { (json) throws(Failure) in
            try json.field("acceptors", acceptors)
            try json.field("checksum", checksum)
            try json.field("duration_sec", durationSec)
            try json.field("group", group)
            try json.field("nodes", nodes)
            try json.field("redundancy_mode", redundancyMode)
            try json.field("sequence", sequence)
            try json.field("size_bytes", sizeBytes)
            try json.field("start_sec", startSec)
            try json.field("stream", stream)
            try json.field("video_id", videoId)
        }
    }
}
