import Base
import Catalog
import ChunkPaxos
import Placement
import Synchronization

/// What was fixed for a video's chunks when it was created, and never changes.
struct VideoTerms: Sendable {
    let group: PlacementGroup
    /// Who decides version 0 of its chunks.
    let configuration: Configuration
    /// The proposer that owns ballot 0; nil where that is not known.
    let creator: UInt64?

    /// An acceptor's vote without what only somebody can have written who is not the creator and called himself so.
    func genuine(_ vote: Acceptor) -> Acceptor {
        guard let creator, let accepted = vote.accepted, accepted.ballot.round == 0, accepted.ballot.proposer != creator
        else { return vote }
        return Acceptor(promised: vote.promised)
    }
}

/// The terms of videos that had to do with this service lately.
///
/// It may have those of a video that is deleted: whoever records a chunk learns that from the catalog.
final class VideoTermsCache: Sendable {
    private static let countMax = 4096

    private let catalog: any Catalog
    private let known = Locked<[VideoID: VideoTerms]>([:])

    init(catalog: any Catalog) { self.catalog = catalog }

    /// nil unless the video had to do with this service lately.
    func known(of id: VideoID) -> VideoTerms? { known.withLock { $0[id] } }

    /// - Throws: ``Failure`` (`notFound`), or ``CatalogError``.
    func terms(of id: VideoID) async throws -> VideoTerms {
        if let terms = known(of: id) { return terms }
        guard let video = try await catalog.video(id) else { throw Failure(.notFound, "there is no video \(id)") }
        guard let group = try await catalog.placementGroup(video.group) else {
            throw Failure(.corrupt, "the placement group of video \(video.id) is not in the catalog")
        }
        let terms = VideoTerms(
            group: group, configuration: Configuration(initial: try group.membership()), creator: video.creator)
        known.withLock { known in
            if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
            known[id] = terms
        }
        return terms
    }
}
