import Base
import Foundation
import Placement

/// A cluster that grows while videos are placed on it: arithmetic only, no chunk is stored.
package struct PlacementSimulation: Hashable, Sendable {
    /// At the end; four fifths of them are there from the start, the others join while the cluster fills.
    package var nodeCount = 1_000
    package var zoneCount = 10
    package var chunkCount = 10_000_000
    package var seed: UInt64 = 1

    package struct Outcome: Codable, Hashable, Sendable {
        package fileprivate(set) var videos = 0
        package fileprivate(set) var chunks = 0
        /// How full the emptiest and the fullest node is, relative to all together.
        package fileprivate(set) var levelMin = 0.0
        package fileprivate(set) var levelMax = 0.0
        /// Sets of nodes that hold all copies of some chunk.
        package fileprivate(set) var copysets = 0
        /// Groups in which two members share a zone.
        package fileprivate(set) var crowdedGroups = 0

        /// Whether every node is within 15 % of what it should hold.
        package var isEven: Bool { levelMin >= 0.85 && levelMax <= 1.15 }
    }

    package init() {}

    /// The share of the chunks at which the first and the last nodes join, in percent.
    private static let joinPercent = 40...72
    private static let joins = 5
    private static let chunkBytes = 2 * ByteCount.mebibyte
    /// Chunks of the longest video: an hour or so.
    private static let videoChunksMax = 1_100.0

    package func run() -> Outcome {
        var cluster = Cluster(seed: seed, zoneCount: zoneCount)
        cluster.join(nodeCount - nodeCount / 5)
        var outcome = Outcome()
        var copysets: Set<String> = []
        var joined = 0
        while outcome.chunks < chunkCount {
            if joined < Self.joins, outcome.chunks >= chunkCount / 100 * joinAt(joined) {
                cluster.join(nodesJoining(joined))
                joined += 1
            }
            guard let (group, chunks) = cluster.place(chunksMax: chunkCount - outcome.chunks) else { break }
            outcome.videos += 1
            outcome.chunks += chunks
            if copysets.insert(group.id).inserted, cluster.isCrowded(group) { outcome.crowdedGroups += 1 }
        }
        outcome.copysets = copysets.count
        (outcome.levelMin, outcome.levelMax) = cluster.levels
        return outcome
    }

    private func joinAt(_ join: Int) -> Int {
        let span = Self.joinPercent.upperBound - Self.joinPercent.lowerBound
        return Self.joinPercent.lowerBound + span * join / (Self.joins - 1)
    }

    private func nodesJoining(_ join: Int) -> Int {
        let all = nodeCount / 5
        return all * (join + 1) / Self.joins - all * join / Self.joins
    }

    private struct Cluster {
        private var random: SimulationRandom
        private let zoneCount: Int
        private var ids: [NodeID] = []
        private var indices: [NodeID: Int] = [:]
        private var capacities: [Int] = []
        private var stored: [Int] = []
        private var copysets = Copysets([])
        private var plan = PlacementPlan(Copysets([]), [])
        private var untilHeartbeats = 0

        init(seed: UInt64, zoneCount: Int) {
            random = SimulationRandom(seed: seed)
            self.zoneCount = zoneCount
        }

        mutating func join(_ count: Int) {
            for _ in 0..<count {
                guard let id = NodeID("storage-node-\(ids.count + 1)") else { return }
                indices[id] = ids.count
                ids.append(id)
                // Every seventh disk is twice as large.
                capacities.append((ids.count % 7 == 0 ? 8_000 : 4_000) * ByteCount.gibibyte)
                stored.append(0)
            }
            copysets = Copysets(candidates)
            hearHeartbeats()
        }

        /// A video of some length, somewhere.
        mutating func place(chunksMax: Int) -> (PlacementGroup, chunks: Int)? {
            let fraction = Double(random.next() >> 11) / Double(1 << 53 as UInt64)
            let chunks = min(chunksMax, Int(pow(PlacementSimulation.videoChunksMax, fraction)))
            guard let group = plan.group(for: video()) else { return nil }
            for member in group.members { stored[indices[member] ?? 0] += chunks * PlacementSimulation.chunkBytes }
            untilHeartbeats -= 1
            if untilHeartbeats <= 0 { hearHeartbeats() }
            return (group, chunks)
        }

        func isCrowded(_ group: PlacementGroup) -> Bool {
            let zones = Set(group.members.compactMap { indices[$0].map { $0 % zoneCount } })
            return zones.count < min(Placement.groupSize, zoneCount)
        }

        var levels: (min: Double, max: Double) {
            let mean = Double(stored.reduce(0, +)) / Double(capacities.reduce(0, +))
            let levels = zip(stored, capacities).map { Double($0) / Double($1) / mean }
            return (levels.min() ?? 0, levels.max() ?? 0)
        }

        private var candidates: [Placement.Candidate] {
            ids.indices.map { index in
                Placement.Candidate(
                    id: ids[index], isHealthy: true, zone: "zone-\(index % zoneCount)",
                    space: Placement.Space(capacityBytes: capacities[index], storedBytes: stored[index]))
            }
        }

        private mutating func hearHeartbeats() {
            plan = PlacementPlan(copysets, candidates)
            untilHeartbeats = ids.count / 10 + 1
        }

        private mutating func video() -> VideoID {
            func digits(_ word: UInt64) -> String {
                let text = String(word, radix: 16)
                return String(repeating: "0", count: 16 - text.utf8.count) + text
            }
            return VideoID(digits(random.next()) + digits(random.next())) ?? VideoID()
        }
    }
}
