import Base
import Jobs
import Placement

/// What the metadata service knows: videos, the groups their chunks live on, chunks, renditions, nodes.
///
/// A learner's memory, not a voter: what a chunk is was decided by the storage nodes before it is recorded here.
///
/// Every call that changes something returns when the change is durable, and is one transaction: it is there whole
/// after a crash, or not at all. Calls may be made from any number of tasks at once; none blocks the caller's thread.
/// A deleted video is not there for any call except those about deletions.
package protocol Catalog: Sendable {
    // Videos

    /// Enters a video as `uploading`, and its placement group if that is new.
    /// - Throws: ``CatalogError`` of code `conflict` when the id is taken, `notFound` when a member of the group is no
    ///   registered node.
    func createVideo(_ video: NewVideo) async throws(CatalogError)

    func video(_ id: VideoID) async throws(CatalogError) -> Video?

    /// Newest first.
    func videos(limit: Int, offset: Int) async throws(CatalogError) -> [Video]

    /// A video and all that belongs to it, as of one moment.
    /// - Parameter stream: the one stream whose chunks are wanted; nil for all.
    func contents(of id: VideoID, stream: ChunkStream?) async throws(CatalogError) -> VideoContents?

    /// Moves a video to another status, where ``Video/Status/canBecome(_:)`` allows it. To stay `uploading` is a sign
    /// of life of an upload that has no new chunk to show.
    /// - Parameter error: why it failed.
    func setStatus(of id: VideoID, to status: Video.Status, error: String?, at time: Timestamp)
        async throws(CatalogError)

    /// Gives a video another title, its original another name; what is nil stays.
    /// - Throws: ``CatalogError`` of code `notFound`.
    func rename(_ id: VideoID, title: String?, filename: String?) async throws(CatalogError)

    /// Makes every video `failed` that is still `uploading` and gave no sign of life since `time`: it was not entered,
    /// got no chunk and no status.
    /// - Returns: those videos.
    func failUploads(silentSince time: Timestamp, error: String) async throws(CatalogError) -> [VideoID]

    /// Enters what chunks do not say and makes the video `active`. Publishing again replaces it.
    /// - Parameter job: the video's transcoding, entered in the same transaction unless it has a job already.
    /// - Throws: ``CatalogError`` of code `conflict` when a stream that it names is not complete.
    func publish(_ id: VideoID, _ publication: Publication, job: NewJob?) async throws(CatalogError)

    /// Counts one view.
    /// - Returns: the number of views there are now.
    func addView(of id: VideoID) async throws(CatalogError) -> Int

    // Chunks

    func chunk(_ id: ChunkID) async throws(CatalogError) -> Chunk?

    /// Records a chunk that consensus has decided, or adds replicas to one that is recorded already. Either is a sign
    /// of life of the video's upload at `time`.
    ///
    /// There is one for every commit, so it takes no task: `completion` is called on the catalog's own thread, and must
    /// not block. It gets the chunk as it is recorded now, with every replica, or a ``CatalogError`` of code `conflict`
    /// when the id, or the place in the stream, has another chunk.
    func recordChunk(
        _ chunk: Chunk, at time: Timestamp, _ completion: @escaping @Sendable (Result<Chunk, CatalogError>) -> Void)

    // Groups and nodes

    func placementGroup(_ id: String) async throws(CatalogError) -> PlacementGroup?

    /// Enters a node, or gives a known one its new URL, version, identity and key, and counts as a heartbeat. With
    /// another identity than before, the node's disk is another: what was recorded as being there is not shown any more
    /// unless the disk comes back.
    func registerNode(_ node: Node) async throws(CatalogError)

    /// - Throws: ``CatalogError`` of code `notFound` for a node that never registered.
    func recordHeartbeat(of id: NodeID, _ report: NodeReport, at time: Timestamp) async throws(CatalogError)

    /// In order of id.
    func nodes() async throws(CatalogError) -> [Node]

    func statistics() async throws(CatalogError) -> CatalogStatistics

    // Deletions

    /// Takes the video out of sight and notes every node that may hold bytes of it, in one transaction.
    /// - Throws: ``CatalogError`` of code `notFound`.
    func deleteVideo(_ id: VideoID) async throws(CatalogError)

    /// Work of the reaper: at most `limit` pairs of a deleted video and a node that may hold bytes of it, oldest first;
    /// only videos of which a majority of their group has been told that they are deleted.
    /// - Parameter node: the one node that is asked about; nil for all.
    func deletions(of node: NodeID?, limit: Int) async throws(CatalogError) -> [Deletion]

    /// The next chunks that are to go from the deletion's node, after what ``advanceDeletion(_:to:)`` noted.
    func chunks(of deletion: Deletion, limit: Int) async throws(CatalogError) -> [DeletedChunk]

    /// Where each stream of the deletion's video ends that may have chunks which nobody recorded: one past the last recorded
    /// sequence number.
    func streamEnds(of deletion: Deletion) async throws(CatalogError) -> [ChunkStream: Int]

    /// Notes that the deletion's chunks up to and including `chunk` are gone from its node.
    func advanceDeletion(_ deletion: Deletion, to chunk: DeletedChunk) async throws(CatalogError)

    /// The old journal records that the deletion's node may hold: all but those that say that the video is deleted.
    func journalRemains(of deletion: Deletion) async throws(CatalogError) -> [ChunkStream: Range<Int>]

    /// Notes that the node holds nothing of the video any more but the note that it is deleted, unless a follower may still
    /// store something there: then the deletion stays to be done. After the last node
    /// that note is not needed any more: the video's journal is then due, and closing.
    func finishDeletion(_ deletion: Deletion) async throws(CatalogError)

    /// Forgets a deleted video of which nothing is left on any node; nothing happens to others.
    func forgetVideo(_ id: VideoID) async throws(CatalogError)

    // The journal: what the storage nodes are to know of each video, so that the catalog can be rebuilt from them.
    // Every change of a video makes its journal due in the same transaction: the outbox is the catalog itself.

    /// Videos whose journal is due with at least that urgency, in an order that does not change.
    func journalDue(
        _ urgency: JournalUrgency, after position: Int64, limit: Int
    ) async throws(CatalogError) -> [JournalDue]

    /// How many videos have a change that the nodes do not know yet.
    func journalDueCount() async throws(CatalogError) -> Int

    /// Videos of whose journal the node lacks something.
    func journalLagging(
        on node: NodeID, after position: Int64, limit: Int
    ) async throws(CatalogError) -> [JournalDue]

    /// Everything the journal is to say of a video, deleted or not; nil when there is none.
    func journal(of id: VideoID) async throws(CatalogError) -> JournalState?

    /// Takes `count` sequence numbers of a journal stream that nobody else ever gets.
    /// - Returns: the first of them.
    /// - Throws: ``CatalogError`` of code `notFound`.
    func claimJournal(of id: VideoID, _ stream: ChunkStream, count: Int) async throws(CatalogError) -> Int

    /// Notes that a majority has the record. What changed since its revision stays due.
    func noteJournal(of id: VideoID, _ write: JournalWrite) async throws(CatalogError)

    // Jobs. Each call is one decision of a `JobBoard`, in one transaction.

    /// Enters the video's job, or adds to it the renditions that it does not have yet.
    /// - Throws: ``CatalogError`` of code `notFound` for the video, `conflict` when it is not active.
    func addJob(_ job: NewJob, to id: VideoID) async throws(CatalogError)

    /// nil when the video has no job.
    func job(of id: VideoID) async throws(CatalogError) -> JobContents?

    /// Videos whose job is not finished, or has failed units; the oldest first.
    func unfinishedJobs(limit: Int) async throws(CatalogError) -> [VideoID]

    /// Gives the follower a unit, if there is one for it.
    func pullUnit(
        by follower: FollowerID, holding: [UnitID: FencingToken], _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> UnitGrant?

    func renewLease(
        of unit: UnitID, _ token: FencingToken, _ progress: UnitProgress?, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> LeaseVerdict

    /// Whether the lease is live; changes nothing.
    func isLeaseLive(
        of unit: UnitID, _ token: FencingToken, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> Bool

    /// Takes a result: with the unit's completion its renditions' parts are there to be played.
    func completeUnit(
        _ unit: UnitID, _ token: FencingToken, _ result: UnitResult, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> ResultVerdict

    /// - Parameter isReleased: the follower gives the unit back, and the attempt does not count.
    func failUnit(
        _ unit: UnitID, _ token: FencingToken, _ reason: String, isReleased: Bool, _ policy: JobPolicy,
        at time: Timestamp
    ) async throws(CatalogError) -> LeaseVerdict

    /// - Throws: ``CatalogError`` of code `notFound` when the video has no job.
    func stopJob(of id: VideoID, _ policy: JobPolicy, at time: Timestamp) async throws(CatalogError)

    /// - Returns: whether there was anything to go on with.
    /// - Throws: ``CatalogError`` of code `notFound` when the video has no job.
    func resumeJob(of id: VideoID, _ policy: JobPolicy, at time: Timestamp) async throws(CatalogError) -> Bool

    /// Ends the leases that nobody has renewed.
    func sweepLeases(_ policy: JobPolicy, at time: Timestamp) async throws(CatalogError)

    /// In order of name.
    func followers() async throws(CatalogError) -> [FollowerRecord]

    /// What attempts that came to nothing have left on the node, and that nobody is likely to add to any more.
    func discards(on node: NodeID, limit: Int, at time: Timestamp) async throws(CatalogError) -> [Discard]

    /// Notes that the node has nothing of it any more. After the last node, nothing is known of it.
    func finishDiscard(_ discard: Discard) async throws(CatalogError)

    // Several users

    /// Watches for what other users of the same catalog change.
    func watch() throws(CatalogError) -> any CatalogWatch

    /// Finishes the writes under way and lets go of the database. Later calls throw `closed`.
    func close() async
}

extension Catalog {
    package func publish(_ id: VideoID, _ publication: Publication) async throws(CatalogError) {
        try await publish(id, publication, job: nil)
    }
}

extension Catalog {
    /// The same for callers that await.
    package func recordChunk(_ chunk: Chunk, at time: Timestamp) async throws(CatalogError) -> Chunk {
        let result = await withCheckedContinuation { continuation in
            recordChunk(chunk, at: time) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}
