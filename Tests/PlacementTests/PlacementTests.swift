import Base
import Placement
import Testing

@Suite("Placement")
struct PlacementTests {
    @Test("a group has three members, or as many as there are nodes")
    func size() {
        for count in 1...7 {
            let group = Placement.group(for: VideoID(), among: nodes(count))
            #expect(group?.members.count == min(3, count))
        }
        #expect(Placement.group(for: VideoID(), among: []) == nil)
    }

    @Test("the choice does not depend on the order in which nodes are given")
    func order() {
        for _ in 0..<50 {
            let video = VideoID()
            let groups = Set((0..<5).map { _ in Placement.group(for: video, among: nodes(9).shuffled())?.id })
            #expect(groups.count == 1)
        }
    }

    @Test("N nodes form at most N groups, and every node is in three of them")
    func fewCopysets() {
        for count in 4...20 {
            let groups = Placement.candidates(among: nodes(count))
            #expect(groups.count == count)
            #expect(Set(groups).count == count)
            for node in nodes(count) {
                #expect(groups.filter { $0.members.contains(node.id) }.count == 3)
            }
        }
        #expect(Placement.candidates(among: nodes(3)).count == 1)
    }

    @Test("videos spread evenly over the nodes")
    func balance() {
        let nodes = nodes(5)
        var videosByNode: [NodeID: Int] = [:]
        for _ in 0..<5000 {
            for member in Placement.group(for: VideoID(), among: nodes)?.members ?? [] {
                videosByNode[member, default: 0] += 1
            }
        }
        // 3000 are expected of each; ten standard deviations (35) on either side.
        #expect(videosByNode.count == 5)
        #expect(videosByNode.values.allSatisfy { (2650...3350).contains($0) })
    }

    @Test("a node that joins replaces only the groups that span its place")
    func stability() {
        let before = Placement.candidates(among: nodes(10))
        let after = Placement.candidates(among: nodes(11))
        let joined = nodes(11)[10].id
        #expect(Set(before).subtracting(after).count == 2)
        #expect(Set(after).subtracting(before).allSatisfy { $0.members.contains(joined) })
        for _ in 0..<200 {
            let video = VideoID()
            let old = Placement.group(for: video, among: nodes(10))
            let new = Placement.group(for: video, among: nodes(11))
            if old != new, let old, let new {
                #expect(!after.contains(old) || new.members.contains(joined))
            }
        }
    }

    @Test("unhealthy nodes are used only as far as healthy ones are too few")
    func prefersHealthy() throws {
        let four = nodes(6, healthy: [0, 2, 3, 5])
        for _ in 0..<100 {
            let group = try #require(Placement.group(for: VideoID(), among: four))
            #expect(group.members.allSatisfy { id in four.contains { $0.id == id && $0.isHealthy } })
        }
        let one = nodes(6, healthy: [4])
        let group = try #require(Placement.group(for: VideoID(), among: one))
        #expect(group.members.count == 3)
        #expect(group.members.contains(one[4].id))
    }

    @Test("the id of a group follows from its members alone and never changes")
    func groupID() throws {
        let ids = try ["storage-node-3", "storage-node-1", "storage-node-2"].map { try #require(NodeID($0)) }
        let group = PlacementGroup(members: ids)
        #expect(group == PlacementGroup(members: ids.reversed() + ids))
        #expect(group.members == ids.sorted())
        #expect(group.id == "pg-739883aa9c5ef522")
        #expect(group.majority == 2)
        #expect(group.id != PlacementGroup(members: ids.dropLast()).id)
    }

    private func nodes(_ count: Int, healthy: Set<Int>? = nil) -> [Placement.Candidate] {
        (0..<count).compactMap { index in
            NodeID("storage-node-\(index + 1)").map {
                Placement.Candidate(id: $0, isHealthy: healthy?.contains(index) ?? true)
            }
        }
    }
}
