import Testing

@testable import SmartClient

@Suite struct ReplicaRaceTests {
    @Test("one replica is asked at first, and the next at once when it fails")
    func failover() {
        var race = ReplicaRace(["a", "b"])
        #expect(race.begin() == .ask(replica: "a", attempt: 1))
        #expect(race.onFailure() == .ask(replica: "b", attempt: 2))
        #expect(race.onFailure() == .giveUp)
    }

    @Test("a slow replica gets one beside it, once")
    func hedge() {
        var race = ReplicaRace(["a", "b", "c"])
        _ = race.begin()
        #expect(race.onSlow(attempt: 1) == .ask(replica: "b", attempt: 2))
        #expect(race.onSlow(attempt: 1) == nil)
        #expect(race.onSlow(attempt: 2) == .ask(replica: "c", attempt: 3))
        #expect(race.onSlow(attempt: 3) == nil)
    }

    @Test("with others under way the last failure alone gives up")
    func lastFailure() {
        var race = ReplicaRace(["a", "b"])
        _ = race.begin()
        _ = race.onSlow(attempt: 1)
        #expect(race.onFailure() == nil)
        #expect(race.onFailure() == .giveUp)
    }

    @Test("a failed replica's timer, coming late, asks nobody")
    func staleTimer() {
        var race = ReplicaRace(["a", "b", "c"])
        _ = race.begin()
        _ = race.onFailure()
        #expect(race.onSlow(attempt: 1) == nil)
    }

    @Test("no replica at all is given up at once")
    func none() {
        var race = ReplicaRace([])
        #expect(race.begin() == .giveUp)
    }
}
