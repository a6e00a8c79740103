import Base
import Testing

@testable import ConsensusSimulator

@Suite("Scenarios")
struct ScenarioTests {
    @Test("each has a name of its own, tells the same every time, and survives the way through JSON")
    func stories() throws {
        #expect(Set(Scenario.all.map(\.name)).count == Scenario.all.count)
        for scenario in Scenario.all {
            let result = try scenario.run()
            #expect(try scenario.run() == result)
            #expect(try JSON.decode(Scenario.Result.self, from: try JSON.encode(result)) == result)
            #expect(!result.steps.contains { $0.event.kind == .violated })
            #expect(result.chosen != nil)
            for step in result.steps {
                #expect(step.acceptors.map(\.node) == result.nodes)
                #expect(step.clients.map(\.name) == result.clients)
            }
        }
        #expect(Scenario.named("rivals")?.title == "Two rivals")
        #expect(Scenario.named("unknown") == nil)
    }

    @Test("an uncontended commit takes six messages and one round trip")
    func normal() throws {
        let result = try Scenario.normal.run()
        #expect(result.messageCount == 6)
        #expect(result.steps.compactMap(\.event.message?.type).filter { $0 == "accept" }.count == 3)
        #expect(result.steps.last?.clients[0].decided == "A")
    }

    @Test("of two rivals one is refused, and finishes what the other began")
    func rivals() throws {
        let result = try Scenario.rivals.run()
        #expect(result.steps.contains { $0.event.message?.type == "rejected" })
        #expect(result.clients.count == 2)
        #expect(Set(try #require(result.steps.last).clients.map(\.decided)) == [result.chosen])
        #expect(try #require(result.steps.last).clients.contains { $0.value != result.chosen })
    }

    @Test("with one node down the others decide, and a reader learns it")
    func nodeDown() throws {
        let result = try Scenario.nodeDown.run()
        let last = try #require(result.steps.last)
        #expect(last.acceptors.map(\.isUp) == [true, true, false])
        #expect(last.acceptors.map(\.acceptedValue) == ["A", "A", nil])
        #expect(last.clients.map(\.decided) == ["A", "A"])
    }

    @Test("a node that lost a write it had not synchronized still knows its promise")
    func nodeRecovers() throws {
        let result = try Scenario.nodeRecovers.run()
        let crash = try #require(result.steps.first { $0.event.kind == .crashed })
        let restart = try #require(result.steps.first { $0.event.kind == .restarted })
        #expect(crash.event.text.contains("torn"))
        #expect(crash.acceptors[0].promised != nil)
        #expect(restart.acceptors[0].promised == crash.acceptors[0].promised)
        #expect(restart.acceptors[0].acceptedValue == nil)
    }

    @Test("a chunk that moves has two decisions, and its new holders are in the version that rests on the second")
    func move() throws {
        let last = try #require(try Scenario.move.run().steps.last)
        #expect(last.chosen == ["A", "B"])
        #expect(last.acceptors.count { $0.version == 2 } >= 2)
    }
}
