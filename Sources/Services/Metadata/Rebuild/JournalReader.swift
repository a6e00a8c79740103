import Base
import Catalog
import CatalogSQLite
import Digests

/// Finds the records of a video's journal among the chunks that were seen of it, and reads them from the nodes.
struct JournalReader: Sendable {
    private static let pageSize = 64

    let restorer: CatalogRestorer
    let listing: any NodeListing
    let urls: [NodeID: String]

    /// The newest facts that could be read, and whether a majority ever agreed on any: nothing else is believed.
    struct FoundFacts {
        let facts: FactsRecord
        let record: RestoredRecord
        let isBelieved: Bool
    }

    /// - Parameter problems: what could not be read, and why.
    func facts(of video: SeenVideo, problems: inout [String]) async throws -> FoundFacts? {
        var newest: (facts: FactsRecord, record: RestoredRecord)?
        var end = Int.max
        while true {
            let page = try await restorer.sightings(of: video.id, .catalog, in: 0..<end, limit: Self.pageSize)
            guard let last = page.last else { break }
            end = last.sequence
            for sighting in page {
                guard let (facts, record) = try await facts(endingAt: sighting, &problems) else { continue }
                if newest == nil { newest = (facts, record) }
                // That a video is deleted is believed of anybody: it was true once, and does not cease to be.
                guard record.isChosen || facts.isDeleted, let newest else { continue }
                return FoundFacts(facts: newest.facts, record: newest.record, isBelieved: true)
            }
        }
        return newest.map { FoundFacts(facts: $0.facts, record: $0.record, isBelieved: false) }
    }

    func publication(
        of video: SeenVideo, at place: FactsRecord.PublicationPlace, problems: inout [String]
    ) async throws -> (publication: Publication, record: RestoredRecord)? {
        let name = "the publication"
        guard let (bytes, record) = try await record(of: video.id, .publication, place.chunks, name, &problems) else {
            problems.append("\(name) is missing")
            return nil
        }
        do {
            return (try PublicationRecord.decode(bytes), record)
        } catch {
            problems.append("\(name) cannot be read: \(error.message)")
            return nil
        }
    }

    private func facts(
        endingAt sighting: JournalSighting, _ problems: inout [String]
    ) async throws -> (FactsRecord, RestoredRecord)? {
        guard let part = await part(sighting, &problems), part.index == part.count - 1 else { return nil }
        let chunks = sighting.sequence - part.index..<sighting.sequence + 1
        let name = "the journal's record at \(chunks.lowerBound)"
        guard let (bytes, record) = try await record(of: sighting.video, .catalog, chunks, name, &problems) else {
            return nil
        }
        do {
            let facts = try FactsRecord(encoded: bytes)
            guard facts.videoId == sighting.video, try facts.facts().group == sighting.group else {
                throw Failure(.corrupt, "it is about another video or group")
            }
            return (facts, record)
        } catch let error as Failure {
            problems.append("\(name) cannot be read: \(error.message)")
            return nil
        }
    }

    private func record(
        of video: VideoID, _ stream: ChunkStream, _ chunks: Range<Int>, _ name: String, _ problems: inout [String]
    ) async throws -> ([UInt8], RestoredRecord)? {
        let sightings = try await restorer.sightings(of: video, stream, in: chunks, limit: chunks.count)
        // One that was broken off half-way was never said to be written.
        guard sightings.count == chunks.count else { return nil }
        var parts: [JournalPart] = []
        for sighting in sightings.reversed() {
            guard let part = await part(sighting, &problems) else { return nil }
            parts.append(part)
        }
        guard let bytes = JournalPart.join(parts) else {
            problems.append("the chunks of \(name) do not belong together")
            return nil
        }
        let holders = sightings.dropFirst().reduce(into: Set(sightings[0].holders)) { $0.formIntersection($1.holders) }
        return (bytes, RestoredRecord(chunks: chunks, holders: holders, isChosen: sightings.allSatisfy(\.isChosen)))
    }

    private func part(_ sighting: JournalSighting, _ problems: inout [String]) async -> JournalPart? {
        let id = ChunkID(video: sighting.video, stream: sighting.stream, sequence: sighting.sequence)
        var reason = "no node has it"
        for holder in sighting.holders {
            guard let url = urls[holder] else { continue }
            do {
                let bytes = try await listing.bytes(of: id, at: url)
                guard SHA256.digest(of: bytes) == sighting.checksum else {
                    throw Failure(.corrupt, "\(holder) gives other bytes than it should")
                }
                return try JournalPart(decoding: bytes)
            } catch {
                reason = (error as? any PresentableError)?.message ?? "\(error)"
            }
        }
        if sighting.isChosen { problems.append("chunk \(id) cannot be read: \(reason)") }
        return nil
    }
}

extension FactsRecord {
    var isDeleted: Bool { (try? facts().isDeleted) ?? false }
}
