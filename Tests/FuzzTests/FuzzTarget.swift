/// A decoder that strangers' bytes reach, with what must hold of it whatever they are. Run by libFuzzer (`make fuzz`)
/// and over the committed corpus by the tests. What does not hold traps.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// A record's head.
    case record
    /// A superblock's file header.
    case superblock
    /// A checkpoint beside a small log.
    case checkpoint
    /// A log: the store opens on it, reads, writes, compacts and opens again.
    case store
    /// A fragmented MP4.
    case fragments
    /// What HTTP headers and queries carry.
    case http
    /// A chunk's value, as the reader of its own reads it and as the general decoder does.
    case json

    func run(_ bytes: [UInt8]) {
        switch self {
        case .record: FuzzedStore.decodeRecord(bytes)
        case .superblock: FuzzedStore.decodeFileHeader(bytes)
        case .checkpoint: FuzzedStore.open(log: FuzzedStore.small.log, checkpoint: bytes)
        case .store: FuzzedStore.open(log: bytes, checkpoint: nil)
        case .fragments: FuzzedMedia.parse(bytes)
        case .http: FuzzedHTTP.decode(bytes)
        case .json: FuzzedJSON.decode(bytes)
        }
    }
}
