import Base
import Catalog
import MetadataAPI
import Placement

/// What a record of the stream ``ChunkStream/catalog`` says: all of a video that neither its chunks nor its publication
/// say. As JSON; `docs/formats/catalog-journal.md` has the fields.
struct FactsRecord: Codable, Equatable {
    /// Where the publication that belongs to these facts is, in the stream ``ChunkStream/publication``.
    struct PublicationPlace: Codable, Equatable {
        let first: Int
        let count: Int

        var chunks: Range<Int> { first..<first + count }
    }

    struct Stream: Codable, Equatable {
        let stream: ChunkStream
        let chunkCount: Int
        let sizeBytes: Int
        let sequenceEnd: Int
    }

    private enum Status: String, Codable {
        case uploading, active, failed, deleted
    }

    let videoId: VideoID
    let title: String
    let filename: String?
    let durationSec: Double
    private let status: Status
    let error: String?
    /// Nanoseconds since 1970: the catalog has more digits than the text of a time.
    let createdAtNanoseconds: Int64
    /// In hex: JSON's numbers end at 53 bits for many who read them.
    let creator: String
    let viewCount: Int
    let revision: Int
    let group: String
    /// The group's nodes, and where each was last: a node that is away when the catalog is rebuilt has a place in it.
    let members: [GroupMember]
    let streams: [Stream]
    let publication: PublicationPlace?

    init(_ facts: JournalFacts, members: [Node], publication: Range<Int>) {
        videoId = facts.id
        title = facts.title
        filename = facts.filename
        durationSec = facts.durationSec
        status =
            switch facts.status {
            case .uploading: .uploading
            case .active: .active
            case .failed: .failed
            case nil: .deleted
            }
        error = facts.error
        createdAtNanoseconds = facts.createdAt.nanoseconds
        creator = String(facts.creator, radix: 16)
        viewCount = facts.viewCount
        revision = facts.revision
        group = facts.group.id
        self.members = facts.group.members(at: members)
        streams = facts.streams.map {
            Stream(
                stream: $0.stream, chunkCount: $0.chunkCount, sizeBytes: $0.sizeBytes, sequenceEnd: $0.sequenceEnd)
        }
        self.publication =
            publication.isEmpty ? nil : PublicationPlace(first: publication.lowerBound, count: publication.count)
    }

    /// - Throws: ``Failure`` (corrupt) when the record contradicts itself.
    func facts() throws(Failure) -> JournalFacts {
        let identities = members.compactMap { member in member.acceptorId.map { (member.nodeId, $0) } }
        let placement = PlacementGroup(
            members: members.map(\.nodeId), identities: Dictionary(identities) { first, _ in first })
        guard let creator = UInt64(creator, radix: 16), placement.id == group, viewCount >= 0, durationSec >= 0,
            (publication?.first ?? 0) >= 0, (1...JournalPart.countMax).contains(publication?.count ?? 1),
            streams.allSatisfy({ $0.chunkCount >= 0 && $0.sizeBytes >= 0 && $0.sequenceEnd >= 0 })
        else { throw Failure(.corrupt, "the record of video \(videoId) contradicts itself") }
        let status: Video.Status? =
            switch status {
            case .uploading: .uploading
            case .active: .active
            case .failed: .failed
            case .deleted: nil
            }
        return JournalFacts(
            id: videoId, title: title, filename: filename, durationSec: durationSec, status: status, error: error,
            group: placement, creator: creator, createdAt: Timestamp(nanoseconds: createdAtNanoseconds),
            viewCount: viewCount,
            streams: streams.map {
                StreamExtent(
                    stream: $0.stream, chunkCount: $0.chunkCount, sizeBytes: $0.sizeBytes, sequenceEnd: $0.sequenceEnd)
            },
            revision: revision)
    }

    func encoded() throws -> [UInt8] { try JSON.encode(self) }

    init(encoded bytes: [UInt8]) throws(Failure) { self = try JSON.decode(FactsRecord.self, from: bytes) }
}

/// What a record of the stream ``ChunkStream/publication`` says: the body of the request that published it, and what
/// followers have made since.
enum PublicationRecord {
    static func encode(_ publication: Publication) throws -> [UInt8] {
        try JSON.encode(
            PublishRequest(
                durationSec: publication.durationSec, original: OriginalMessage(publication.original),
                renditions: publication.renditions.map(RenditionMessage.init),
                ladder: publication.ladder.isEmpty ? nil : publication.ladder.map(LadderRenditionMessage.init)))
    }

    /// - Throws: ``Failure``.
    static func decode(_ bytes: [UInt8]) throws(Failure) -> Publication {
        try Publication(try JSON.decode(PublishRequest.self, from: bytes))
    }
}

extension PlacementGroup {
    /// The group's members, where those nodes are.
    func members(at nodes: [Node]) -> [GroupMember] {
        let urls = Dictionary(nodes.map { ($0.id, $0.url) }) { first, _ in first }
        return members.enumerated().compactMap { index, member in
            urls[member].map { GroupMember(nodeId: member, nodeUrl: $0, acceptorId: acceptors?[index]) }
        }
    }
}
