import Base
import Testing

@testable import ChunkPaxos

@Suite("Who decides")
struct MembershipTests {
    @Test("any two quorums share a member, and one fewer would not do")
    func quorums() throws {
        for count in 1...9 {
            let quorum = try Membership(try members(Array(1...count))).quorum
            #expect(2 * quorum > count)
            #expect(2 * (quorum - 1) <= count)
        }
    }

    @Test("a voter is the member of that node and, where one is named, of that identity")
    func voters() throws {
        let named = try members([1, 2])
        let membership = try Membership([named[0], Membership.Member(named[1].node)])
        let stranger = AcceptorID(high: 9, low: 9)
        #expect(membership.index(of: named[0]) == 0)
        #expect(membership.index(of: Membership.Member(named[0].node, stranger)) == nil)
        #expect(membership.index(of: Membership.Member(named[0].node)) == nil)
        #expect(membership.index(of: named[1]) == 1)
        #expect(membership.index(of: Membership.Member(named[1].node, stranger)) == 1)
        #expect(membership.index(of: try members([3])[0]) == nil)
    }

    @Test("nobody is named twice, neither as a node nor as an identity")
    func twice() throws {
        let named = try members([1, 2])
        #expect(throws: Failure.self) { try Membership([]) }
        #expect(throws: Failure.self) { try Membership([named[0], named[0]]) }
        #expect(throws: Failure.self) {
            try Membership([named[0], Membership.Member(named[1].node, named[0].acceptor)])
        }
        let many = (1...65).compactMap { NodeID("node-\($0)") }.map { Membership.Member($0) }
        #expect(throws: Failure.self) { try Membership(many) }
        #expect(try Membership(Array(many.dropLast())).members.count == 64)
    }

    @Test("a configuration is the same after it has travelled")
    func coding() throws {
        let initial = Configuration(initial: try Membership(try members([1, 2, 3])))
        let next = try #require(initial.successor(chosen: Array("{}".utf8), holders: initial.membership))
        for configuration in [initial, next] {
            #expect(try JSON.decode(Configuration.self, from: try JSON.encode(configuration)) == configuration)
        }
        let text = String(decoding: try JSON.encode(next), as: UTF8.self)
        #expect(text.hasPrefix(#"{"base":"e30=","members":[{"acceptor_id":"00000000000000000000000000000001","#))
        for broken in [
            #"{"version":0,"members":[]}"#, #"{"version":1,"members":[{"node_id":"a"}]}"#,
            #"{"version":0,"members":[{"node_id":"a"}],"base":"e30="}"#,
            #"{"version":0,"members":[{"node_id":"a"},{"node_id":"a"}]}"#,
            #"{"version":0,"members":[{"node_id":"a","acceptor_id":"1"}]}"#,
        ] {
            #expect(throws: Failure.self) { try JSON.decode(Configuration.self, from: Array(broken.utf8)) }
        }
    }

    @Test("identities and instances are read as they are written")
    func texts() throws {
        let identity = AcceptorID(high: 0x1234, low: .max)
        #expect(identity.description == "0000000000001234ffffffffffffffff")
        #expect(AcceptorID(identity.description) == identity)
        #expect(AcceptorID("12") == nil)
        #expect(AcceptorID(String(repeating: "g", count: 32)) == nil)
        let chunk = try #require(ChunkID("film-chunk-000"))
        #expect(InstanceID("film-chunk-000@3") == InstanceID(chunk, version: 3))
        #expect(InstanceID(chunk).description == "film-chunk-000@0")
        for text in ["film", "film@", "film@-1", "film@+1", "film@01", "film@1@2", "@1", "film@4294967296"] {
            #expect(InstanceID(text) == nil, "\(text)")
        }
    }

    @Test("a value names the acceptors of the version after it")
    func holders() throws {
        func value(_ nodes: [Int], _ identities: [Int]?) throws -> ChunkValue {
            ChunkValue(
                videoId: VideoID(), stream: .source, sequence: 0, sizeBytes: 1,
                checksum: try #require(SHA256Digest(String(repeating: "0", count: 64))), group: "pg",
                nodes: try members(nodes).map(\.node),
                acceptors: try identities.map { try members($0).compactMap(\.acceptor) })
        }
        #expect(try value([1, 2], [1, 2]).holders().members == members([1, 2]))
        let unnamed = try value([1, 2], nil)
        #expect(try unnamed.holders().members.map(\.acceptor) == [nil, nil])
        #expect(!String(decoding: try unnamed.encoded(), as: UTF8.self).contains("acceptors"))
        #expect(throws: Failure.self) { try value([1, 2], [1]).holders() }
        #expect(throws: Failure.self) { try value([1, 1], nil).holders() }
        let whole = try value([1, 2], [1, 2])
        #expect(try ChunkValue(encoded: try whole.encoded()) == whole)
    }

    @Test("waits are spread evenly below a bound that doubles up to its limit")
    func backoff() {
        var longest = Backoff(unit: .milliseconds(10), doublingsMax: 3)
        let bounds = [20, 40, 80, 80, 80]
        for bound in bounds {
            let wait = longest.onFailure(random: .max)
            #expect(wait <= .milliseconds(bound) && wait > .milliseconds(bound) * 0.999)
        }
        var middle = Backoff(unit: .milliseconds(10))
        #expect(middle.onFailure(random: 1 << 63) == .milliseconds(10))
        #expect(middle.onFailure(random: 0) == .zero)
    }
}
