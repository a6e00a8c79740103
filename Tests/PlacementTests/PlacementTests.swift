import Base
import Testing

@testable import Placement

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
        for _ in 0..<20 {
            let video = VideoID()
            let groups = Set((0..<5).map { _ in Placement.group(for: video, among: nodes(9).shuffled())?.id })
            #expect(groups.count == 1)
        }
    }

    @Test("N nodes form at most eight times N groups, and every node leads some")
    func fewCopysets() {
        for count in 4...40 {
            let groups = Copysets(nodes(count)).groups
            #expect(groups.count <= 8 * count)
            #expect(Set(groups).count == groups.count)
            #expect(groups.allSatisfy { $0.members.count == 3 })
            for node in nodes(count) { #expect(groups.contains { $0.members.contains(node.id) }) }
        }
        #expect(Copysets(nodes(3)).groups.count == 1)
        #expect(Copysets(nodes(5)).groups.count <= 10)
    }

    @Test("no two members of a group share a zone where there are three", arguments: [3, 4, 10])
    func zones(_ zoneCount: Int) {
        let nodes = nodes(40, zones: zoneCount)
        for group in Copysets(nodes).groups { #expect(zones(of: group, nodes).count == 3) }
        for _ in 0..<100 {
            let group = Placement.group(for: VideoID(), among: nodes)
            #expect(group.map { zones(of: $0, nodes).count } == 3)
        }
    }

    @Test("two zones are both used, and one is no obstacle")
    func fewZones() {
        let two = nodes(10, zones: 2)
        for group in Copysets(two).groups {
            #expect(group.members.count == 3)
            #expect(zones(of: group, two).count == 2)
        }
        for group in Copysets(nodes(10)).groups { #expect(group.members.count == 3) }
    }

    @Test("zones stay apart when nodes are away, as long as three zones have nodes that are well")
    func zonesWithoutSome() {
        let nodes = nodes(12, healthy: [0, 3, 6, 1, 2], zones: 3)
        let groups = PlacementPlan(Copysets(nodes), nodes).groups
        for group in groups { #expect(zones(of: group, nodes).count == 3) }
        #expect(Set(groups.flatMap(\.members)) == Set([0, 3, 6, 1, 2].map { nodes[$0].id }))
    }

    @Test("videos spread evenly over the nodes")
    func balance() {
        let nodes = nodes(5)
        let plan = PlacementPlan(Copysets(nodes), nodes)
        var videosByNode: [NodeID: Int] = [:]
        for _ in 0..<5000 {
            for member in plan.group(for: VideoID())?.members ?? [] { videosByNode[member, default: 0] += 1 }
        }
        // 3000 are expected of each; ten standard deviations (35) on either side.
        #expect(videosByNode.count == 5)
        #expect(videosByNode.values.allSatisfy { (2650...3350).contains($0) })
    }

    @Test("weights add up to what is due to each node")
    func weights() {
        let nodes = nodes(30, zones: 5)
        let indices = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1.id, $0) })
        let members = Copysets(nodes).groups.flatMap { $0.members.compactMap { indices[$0] } }
        let shares = nodes.indices.map { 1 + Double($0 % 4) / 2 }
        let weights = GroupWeights.weights(ofGroupsWith: members, size: 3, shares: shares)
        var loads = shares.map { _ in 0.0 }
        for (place, member) in members.enumerated() { loads[member] += weights[place / 3] }
        let scale = shares.reduce(0, +) / loads.reduce(0, +)
        for (load, share) in zip(loads, shares) { #expect(abs(load * scale / share - 1) < 0.05) }
    }

    @Test("who lies behind is due more, who is fuller less, a larger disk more, all within bounds")
    func shares() {
        let shares = GroupWeights.shares(of: [
            node(1, capacity: 1_000, stored: 500), node(2, capacity: 1_000, stored: 475),
            node(3, capacity: 2_000, stored: 1_000), node(4, capacity: 1_000, stored: 525),
            node(5, capacity: 1_000, stored: 0), node(6, capacity: 1_000, stored: 1_000),
        ])
        #expect(shares[1] > shares[0])
        #expect(shares[3] < shares[0])
        #expect(abs(shares[2] / shares[0] - 2) < 1e-9)
        #expect(abs(shares[4] / (1000 * 6.0 / 7000) - 8) < 1e-9)
        #expect(abs(shares[5] / (1000 * 6.0 / 7000) - 0.02) < 1e-9)
        #expect(GroupWeights.shares(of: nodes(3)) == [1, 1, 1])
    }

    @Test("a node that joins replaces only groups that span its places")
    func stability() {
        let before = Set(Copysets(nodes(10)).groups)
        let after = Set(Copysets(nodes(11)).groups)
        let joined = nodes(11)[10].id
        #expect(after.subtracting(before).allSatisfy { $0.members.contains(joined) })
        // On each of the eight rings it stands within the reach of two leaders.
        #expect(before.subtracting(after).count <= 16)
        for _ in 0..<100 {
            let video = VideoID()
            guard let old = Placement.group(for: video, among: nodes(10)),
                let new = Placement.group(for: video, among: nodes(11)), old != new, before.contains(new)
            else { continue }
            #expect(!after.contains(old) || after.contains(new))
        }
    }

    @Test("nodes that come and go leave the copysets as they are")
    func sameCopysets() {
        let all = Set(Copysets(nodes(20)).groups)
        let some = nodes(20, healthy: Set(0..<18))
        let groups = PlacementPlan(Copysets(some), some).groups
        #expect(!groups.isEmpty && all.isSuperset(of: groups))
        #expect(Set(groups.flatMap(\.members)).count == 18)
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

    private func nodes(_ count: Int, healthy: Set<Int>? = nil, zones: Int = 1) -> [Placement.Candidate] {
        (0..<count).compactMap { index in
            NodeID("storage-node-\(index + 1)").map {
                Placement.Candidate(id: $0, isHealthy: healthy?.contains(index) ?? true, zone: "zone-\(index % zones)")
            }
        }
    }

    private func node(_ number: Int, capacity: Int, stored: Int) -> Placement.Candidate {
        let node = nodes(number)[number - 1]
        return Placement.Candidate(
            id: node.id, isHealthy: true, space: Placement.Space(capacityBytes: capacity, storedBytes: stored))
    }

    private func zones(of group: PlacementGroup, _ nodes: [Placement.Candidate]) -> Set<String> {
        Set(nodes.filter { group.members.contains($0.id) }.map(\.zone))
    }
}
