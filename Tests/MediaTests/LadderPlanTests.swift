import Testing

@testable import Media

@Suite struct LadderPlanTests {
    private func sizes(_ plan: LadderPlan) -> [String] { plan.rungs.map { "\($0.label) \($0.width)x\($0.height)" } }

    @Test(
        "rungs fit into their boxes, keep the aspect and never exceed the source",
        arguments: [
            ((1920, 1080), ["1080p 1920x1080", "720p 1280x720", "480p 854x480", "360p 640x360"]),
            ((3840, 2160), ["1080p 1920x1080", "720p 1280x720", "480p 854x480", "360p 640x360"]),
            ((1280, 720), ["720p 1280x720", "480p 854x480", "360p 640x360"]),
            ((1080, 1920), ["1080p 1080x1920", "720p 720x1280", "480p 480x854", "360p 360x640"]),
            ((1920, 800), ["1080p 1920x800", "720p 1280x534", "480p 854x356", "360p 640x266"]),
            ((1440, 1080), ["1080p 1440x1080", "720p 960x720", "480p 640x480", "360p 480x360"]),
            ((1900, 1070), ["1080p 1900x1070", "720p 1278x720", "480p 852x480", "360p 640x360"]),
            ((720, 720), ["720p 720x720", "480p 480x480", "360p 360x360"]),
            ((1000, 600), ["480p 800x480", "360p 600x360"]),
            ((640, 360), ["360p 640x360"]),
            ((320, 180), ["144p 320x180"]),
            ((321, 179), ["144p 322x180"]),
        ])
    func sizes(source: (Int, Int), expected: [String]) throws {
        let plan = try LadderPlan(width: source.0, height: source.1)
        #expect(sizes(plan) == expected)
    }

    @Test("rates are those of the contract")
    func rates() throws {
        let rungs = try LadderPlan(width: 1920, height: 1080).rungs
        #expect(rungs.map(\.videoBitsPerSecond) == [5_800_000, 3_500_000, 1_600_000, 900_000])
        #expect(rungs.map(\.peakBitsPerSecond) == [6_400_000, 3_900_000, 1_900_000, 1_100_000])
        #expect(rungs.map(\.bufferBits) == [9_600_000, 5_800_000, 3_000_000, 2_200_000])
        #expect(rungs.map(\.audioBitsPerSecond) == [192_000, 160_000, 128_000, 96_000])
    }

    @Test("a slow network keeps the lower rungs, and the wish for qualities goes before it")
    func wishes() throws {
        func labels(_ speed: Double, _ qualities: [String]? = nil) throws -> [String] {
            try LadderPlan(width: 1920, height: 1080, networkSpeed: speed, qualities: qualities).rungs.map(\.label)
        }
        #expect(try labels(0.9) == ["360p"])
        #expect(try labels(1) == ["480p", "360p"])
        #expect(try labels(4.9) == ["480p", "360p"])
        #expect(try labels(5).count == 4)
        #expect(try labels(0.5, ["360p", "1080p"]) == ["1080p", "360p"])
        #expect(try labels(10, []).count == 4)
    }

    @Test("what is larger than the source is skipped and said so")
    func skipped() throws {
        let plan = try LadderPlan(width: 854, height: 480, qualities: ["1080p", "480p"])
        #expect(plan.rungs.map(\.label) == ["480p"])
        #expect(plan.skipped == ["1080p"])
        #expect(plan.audioBitsPerSecond == 128_000)
    }

    @Test("a small source has one rung at rates that suit its size")
    func small() throws {
        let rung = try #require(try LadderPlan(width: 320, height: 180, qualities: ["720p"]).rungs.first)
        #expect((rung.width, rung.height) == (320, 180))
        #expect((200_000...400_000).contains(rung.videoBitsPerSecond))
        #expect(rung.peakBitsPerSecond > rung.videoBitsPerSecond)
    }

    @Test("an unknown quality is refused with the labels there are")
    func unknown() {
        #expect {
            try LadderPlan(width: 1920, height: 1080, qualities: ["4k"])
        } throws: { error in
            let message = (error as? MediaError)?.message ?? ""
            return message.contains("'4k'") && LadderPlan.labels.allSatisfy(message.contains)
        }
    }
}
