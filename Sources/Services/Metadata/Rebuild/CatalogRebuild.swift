import Base
import Catalog
import CatalogSQLite
import ChunkPaxos
import HTTPClient
import Jobs
import MetadataAPI
import Placement
import StorageNodeAPI
import Synchronization

/// Makes the catalog anew from the storage nodes alone: `vstack metadata rebuild`.
///
/// Every node lists what it has accepted, all in one order; the lists are merged as they come, and what a majority of a
/// chunk's own group has accepted is entered. What chunks do not say is in each video's journal. Memory is for a page of
/// each list and the videos that are being read, however many chunks there are.
package struct CatalogRebuild: Sendable {
    package enum Progress: Sendable {
        /// Of the entries that the nodes have, about.
        case reading(entries: Int, of: Int)
        case videos(Int)
    }

    private static let pageSize = 1000
    private static let pageAttempts = 3
    private static let videosAtOnce = 16

    private let nodeURLs: [String]
    private let listing: any NodeListing
    private let gateway: any AcceptorGateway
    private let report: @Sendable (Progress) -> Void

    /// - Parameter nodes: base URLs of all storage nodes that there are.
    package init(nodes: [String], http: HTTPClient, report: @escaping @Sendable (Progress) -> Void) {
        self.init(
            nodes: nodes, listing: HTTPNodeListing(http: http), gateway: HTTPAcceptorGateway(http: http),
            report: report)
    }

    init(
        nodes: [String], listing: any NodeListing, gateway: any AcceptorGateway,
        report: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        nodeURLs = nodes
        self.listing = listing
        self.gateway = gateway
        self.report = report
    }

    /// Builds the catalog in `path`, where nothing may be.
    /// - Returns: what was found. The file is complete, whatever is missing in it.
    /// - Throws: ``Failure``, ``CatalogError``; the file is to be thrown away then.
    package func build(at path: String) async throws -> RebuildReport {
        let start = ContinuousClock.now
        var result = RebuildReport(databasePath: path)
        let firsts = try await firstPages(&result)
        let restorer = try CatalogRestorer(path: path)
        do {
            try await restorer.enter(firsts.map(\.node))
            try await read(firsts, into: restorer, &result)
            try await settleVideos(firsts, restorer, &result)
            let statistics = try await restorer.finish()
            (result.videoCount, result.chunkCount, result.replicaCount) =
                (statistics.videos, statistics.chunks, statistics.replicas)
        } catch {
            await restorer.abandon()
            throw error
        }
        result.seconds = (ContinuousClock.now - start) / .seconds(1)
        return result
    }

    /// A node that answers, under the address it was asked at, and its first page.
    private struct First: Sendable {
        let askedURL: String
        let page: AcceptorListing

        var voter: Membership.Member { Membership.Member(page.nodeId, page.acceptorId) }

        /// The node at the address that it was asked at.
        var asked: Node {
            Node(
                id: node.id, url: askedURL, version: node.version, lastHeartbeat: node.lastHeartbeat,
                report: node.report, acceptor: node.acceptor)
        }

        var node: Node {
            let url = page.nodeUrl.isEmpty ? askedURL : page.nodeUrl
            return Node(
                id: page.nodeId, url: url, version: page.version, lastHeartbeat: Timestamp(nanoseconds: 0),
                report: NodeReport(chunkCount: page.chunkCount), acceptor: page.acceptorId)
        }
    }

    private func firstPages(_ result: inout RebuildReport) async throws -> [First] {
        let answers = await withTaskGroup(of: (Int, Result<AcceptorListing, any Error>).self) { group in
            for (index, url) in nodeURLs.enumerated() {
                group.addTask { (index, await page(of: url, after: nil)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var firsts: [First] = []
        for (index, url) in nodeURLs.enumerated() {
            var line = RebuildReport.NodeLine(nodeUrl: url)
            switch answers[index] {
            case .success(let page):
                if let twin = firsts.first(where: { $0.page.nodeId == page.nodeId }) {
                    throw Failure(
                        .invalidArgument, "\(url) and \(twin.askedURL) are both node '\(page.nodeId)': name each once")
                }
                line.nodeId = page.nodeId
                firsts.append(First(askedURL: url, page: page))
            case .failure(let error): line.error = (error as? any PresentableError)?.message ?? "\(error)"
            case nil: line.error = "it was not asked"
            }
            result.nodes.append(line)
        }
        guard !firsts.isEmpty else {
            let reasons = result.nodes.map { "\($0.nodeUrl) (\($0.error ?? "it did not answer"))" }
            throw Failure(.unavailable, "no storage node answered: \(reasons.joined(separator: ", "))")
        }
        return firsts
    }

    private func page(of url: String, after: String?) async -> Result<AcceptorListing, any Error> {
        var result: Result<AcceptorListing, any Error> = .failure(CancellationError())
        for attempt in 0..<Self.pageAttempts where !Task.isCancelled {
            if attempt > 0 { try? await Task.sleep(for: .milliseconds(200 << attempt)) }
            do {
                return .success(try await listing.page(of: url, after: after, limit: Self.pageSize))
            } catch {
                result = .failure(error)
            }
        }
        return result
    }

    // The lists.

    private func read(_ firsts: [First], into restorer: CatalogRestorer, _ result: inout RebuildReport) async throws {
        var merge = ListingMerge(firsts.map(\.voter))
        var cursors: [NodeID: String] = [:]
        for first in firsts { try note(first.page, &merge, &cursors, &result) }
        let total = firsts.reduce(0) { $0 + $1.page.chunkCount }
        var batch = RestoringBatch()
        while true {
            while let found = merge.next() {
                let ruling = try await settled(ChunkRuling(found), found, firsts, &result)
                batch.add(found.id, ruling)
                if batch.count >= RestoringBatch.countMax { try await enter(&batch, restorer, &result) }
            }
            let wanted = merge.wanted
            if wanted.isEmpty { break }
            for page in try await pages(wanted, firsts, cursors) { try note(page, &merge, &cursors, &result) }
            report(.reading(entries: result.nodes.reduce(0) { $0 + $1.entryCount }, of: total))
        }
        try await enter(&batch, restorer, &result)
    }

    private func note(
        _ page: AcceptorListing, _ merge: inout ListingMerge, _ cursors: inout [NodeID: String],
        _ result: inout RebuildReport
    ) throws(Failure) {
        try merge.onPage(of: page.nodeId, page.entries, isLast: page.next == nil)
        cursors[page.nodeId] = page.next
        guard let index = result.nodes.firstIndex(where: { $0.nodeId == page.nodeId }) else { return }
        result.nodes[index].entryCount += page.entries.count
        result.nodes[index].unreadableCount += page.unreadableCount
    }

    private func pages(
        _ wanted: [NodeID], _ firsts: [First], _ cursors: [NodeID: String]
    ) async throws -> [AcceptorListing] {
        try await withThrowingTaskGroup(of: AcceptorListing.self) { group in
            for first in firsts where wanted.contains(first.page.nodeId) {
                let cursor = cursors[first.page.nodeId]
                group.addTask {
                    let page = try await page(of: first.askedURL, after: cursor).get()
                    guard page.nodeId == first.page.nodeId else {
                        throw Failure(.unavailable, "another node answers at \(first.askedURL) now: begin again")
                    }
                    return page
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func enter(
        _ batch: inout RestoringBatch, _ restorer: CatalogRestorer, _ result: inout RebuildReport
    ) async throws {
        try await restorer.enter(batch.chunks, batch.sightings, batch.problems)
        result.uncommittedCount += batch.ignoredCount
        result.add(nonsense: batch.nonsense)
        batch = RestoringBatch()
    }

    /// Where nodes hold the bytes but have not agreed for good, as after a proposer that went away half-way, the
    /// agreement is finished.
    private func settled(
        _ ruling: ChunkRuling, _ found: ListingMerge.Found, _ firsts: [First], _ result: inout RebuildReport
    ) async throws -> ChunkRuling {
        guard case .undecided(let value, let group, let holders, _) = ruling, !value.stream.isJournal,
            holders.count >= group.majority
        else { return ruling }
        // Who created the video is not known before its journal is read.
        let terms = VideoTerms(
            group: group, configuration: Configuration(initial: try group.membership()), creator: nil)
        let members = group.members(at: firsts.map(\.asked))
        let round = found.entries.reduce(UInt32(0)) { max($0, $1.entry.promisedBallot?.round ?? 0) }
        let proposer = Proposer(
            membership: terms.configuration.membership, proposer: ProposerNumbers().next(), value: try value.encoded(),
            roundSeenMax: round)
        let survey = await AcceptorSurvey.take(
            of: found.id, members: members, terms: terms, awaiting: Set(members.map(\.nodeId)), registry: nil,
            gateway: gateway)
        let run = ProposalRun(
            chunk: found.id, members: members, terms: terms, ignored: [], gateway: gateway,
            bytes: ChunkBytes(found.id, survey, gateway: gateway))
        guard case .decided = await run.run(proposer) else { return ruling }
        var entries: [(voter: Membership.Member, entry: AcceptorListing.Entry)] = []
        for member in members {
            guard let report = try? await gateway.read(found.id, at: member.nodeUrl).from(member),
                let voter = firsts.first(where: { $0.page.nodeId == member.nodeId })?.voter
            else { continue }
            entries.append((voter, AcceptorListing.Entry(found.id, report)))
        }
        result.finishedCount += 1
        return ChunkRuling((found.id, entries))
    }
}

// The videos.
extension CatalogRebuild {
    private struct Settled: Sendable {
        var line: RebuildReport.VideoLine?
        var isDeleted = false
    }

    private func settleVideos(
        _ firsts: [First], _ restorer: CatalogRestorer, _ result: inout RebuildReport
    ) async throws {
        let urls = Dictionary(firsts.map { ($0.page.nodeId, $0.askedURL) }) { first, _ in first }
        let reader = JournalReader(restorer: restorer, listing: listing, urls: urls)
        var (position, count) = (Int64(0), 0)
        while true {
            let page = try await restorer.videos(after: position, limit: Self.videosAtOnce)
            guard let last = page.last else { return }
            position = last.position
            let settled = try await withThrowingTaskGroup(of: Settled.self) { group in
                for video in page { group.addTask { try await settle(video, reader, restorer) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for one in settled {
                if one.isDeleted { result.deletedCount += 1 }
                if let line = one.line { result.add(line) }
            }
            count += page.count
            report(.videos(count))
        }
    }

    private func settle(
        _ video: SeenVideo, _ reader: JournalReader, _ restorer: CatalogRestorer
    ) async throws -> Settled {
        var problems: [String] = []
        let found = try await reader.facts(of: video, problems: &problems)
        guard let found, found.isBelieved else {
            try await restorer.drop(video.id)
            // What acceptors remember of a video whose last byte is gone.
            if found == nil, video.chunkCount == 0, problems.isEmpty { return Settled() }
            let reason = Self.disbelief(found, video, reader)
            return Settled(
                line: RebuildReport.VideoLine(
                    videoId: video.id, title: found?.facts.title, reasons: [reason] + problems, isEntered: false))
        }
        return try await restore(video, found, problems, reader, restorer)
    }

    private func restore(
        _ video: SeenVideo, _ found: JournalReader.FoundFacts, _ earlier: [String], _ reader: JournalReader,
        _ restorer: CatalogRestorer
    ) async throws -> Settled {
        let facts = try found.facts.facts()
        var problems = facts.isDeleted ? [] : earlier
        var published: (publication: Publication, record: RestoredRecord)?
        if let place = found.facts.publication, !facts.isDeleted {
            published = try await reader.publication(of: video, at: place, problems: &problems)
        }
        let gaps = try await restorer.restore(
            RestoredVideo(
                facts: facts,
                urls: Dictionary(found.facts.members.map { ($0.nodeId, $0.nodeUrl) }) { first, _ in first },
                record: found.record, publication: published?.publication, publicationRecord: published?.record,
                job: Self.job(of: facts, published?.publication)))
        let reasons = problems + gaps.map { Self.words(for: $0) }
        guard !reasons.isEmpty else { return Settled(isDeleted: facts.isDeleted) }
        let silent = Self.silent(video.group, reader).map { ["of its nodes, \($0) did not answer"] } ?? []
        return Settled(
            line: RebuildReport.VideoLine(
                videoId: video.id, title: facts.title, reasons: reasons + silent, isEntered: true),
            isDeleted: facts.isDeleted)
    }

    /// What is to be made of a video that plays. Attempts that the lost catalog gave out are not known, so the tokens of
    /// new ones begin above any that there can have been: at the seconds since 1970.
    private static func job(of facts: JournalFacts, _ publication: Publication?) -> NewJob? {
        guard facts.status == .active, let publication, let plan = try? JobPlanner.plan(for: publication) else {
            return nil
        }
        let now = SystemTime().now()
        return NewJob(plan: plan, createdAt: now, tokenMin: FencingToken(Int(now.nanoseconds / 1_000_000_000)))
    }

    private static func disbelief(
        _ found: JournalReader.FoundFacts?, _ video: SeenVideo, _ reader: JournalReader
    ) -> String {
        let answered = video.group.members.filter { reader.urls[$0] != nil }
        if answered.count < video.group.majority, let silent = silent(video.group, reader) {
            return "\(answered.count) of the \(video.group.members.count) nodes of its group answered, "
                + "\(video.group.majority) must: \(silent) did not"
        }
        return found == nil
            ? "no node has a journal of it, so nothing but its chunks is known"
            : "no majority has a journal of it, only \(found?.record.holders.map(\.description).sorted().joined(separator: ", ") ?? "")"
    }

    private static func silent(_ group: PlacementGroup, _ reader: JournalReader) -> String? {
        let silent = group.members.filter { reader.urls[$0] == nil }
        return silent.isEmpty ? nil : silent.map(\.description).joined(separator: ", ")
    }

    private static func words(for gap: StreamGap) -> String {
        let numbers = gap.missing.map(String.init).joined(separator: ", ")
        let more = gap.chunksExpected - gap.chunksFound > gap.missing.count ? " …" : ""
        let why = gap.reasons.isEmpty ? "" : " (\(gap.reasons.joined(separator: "; ")))"
        return "\(gap.chunksExpected - gap.chunksFound) of \(gap.chunksExpected) chunks of stream '\(gap.stream)' are "
            + "missing: \(numbers)\(more)\(why)"
    }
}

extension AcceptorListing.Entry {
    fileprivate init(_ id: ChunkID, _ report: AcceptorReport) {
        let accepted = report.accepted
        self.init(
            chunkId: id, promisedBallot: report.promisedBallot, acceptedBallot: accepted?.ballot,
            acceptedValue: accepted.map { String(decoding: $0.value, as: UTF8.self) },
            storedChecksum: report.storedChecksum, storedSizeBytes: report.storedSizeBytes)
    }
}
