import Testing

@testable import Media

@Suite struct FragmentParserTests {
    private func events(_ bytes: [UInt8], pieces: Int, limits: FragmentParser.Limits = .init()) throws(MediaError)
        -> [FragmentParser.Event]
    {
        var parser = FragmentParser(limits: limits)
        var events: [FragmentParser.Event] = []
        var offset = 0
        while offset < bytes.count {
            let end = min(offset + pieces, bytes.count)
            events += try parser.feed(Array(bytes[offset..<end]))
            offset = end
        }
        try parser.finish()
        return events
    }

    private func joined(_ events: [FragmentParser.Event]) -> [UInt8] {
        events.flatMap { event in
            switch event {
            case .initialization(let segment): segment.bytes
            case .fragment(let fragment): fragment.bytes
            }
        }
    }

    @Test("pieces of any length give the same events, and all bytes come out again", arguments: [1, 7, 4096, 1 << 24])
    func pieces(length: Int) async throws {
        let clip = try await Clip.plain(seconds: 2)
        let bytes = try await Produced(clip.path).bytes
        let events = try events(bytes, pieces: length)
        #expect(joined(events) == bytes)
        #expect(events.count == 3)
    }

    @Test("an index of the whole file at its end is left out")
    func trailer() async throws {
        let clip = try await Clip.plain(seconds: 2)
        let bytes = try await Produced(clip.path).bytes
        let index: [UInt8] = [0, 0, 0, 12] + Array("mfra".utf8) + [1, 2, 3, 4]
        #expect(joined(try events(bytes + index, pieces: 1000)) == bytes)
    }

    @Test("bytes that end within a box are refused at the end")
    func cut() async throws {
        let clip = try await Clip.plain(seconds: 2)
        let bytes = try await Produced(clip.path).bytes
        for count in [0, 4, 100, bytes.count - 1] {
            #expect(throws: MediaError.self) { try events(Array(bytes.prefix(count)), pieces: 500) }
        }
    }

    @Test("a box that claims more than the limit is refused before its bytes come")
    func limit() throws {
        var limits = FragmentParser.Limits()
        limits.initializationBytesMax = 1000
        var parser = FragmentParser(limits: limits)
        #expect(throws: MediaError.self) { try parser.feed([0, 0, 4, 0] + Array("moov".utf8)) }
        var long = FragmentParser()
        #expect(throws: MediaError.self) {
            try long.feed([0, 0, 0, 1] + Array("free".utf8) + [UInt8](repeating: 0xff, count: 8))
        }
        var short = FragmentParser()
        #expect(throws: MediaError.self) { try short.feed([0, 0, 0, 3] + Array("free".utf8)) }
    }

    @Test("media before the header, and data without a fragment, are refused")
    func order() async throws {
        #expect(throws: MediaError.self) { try events([0, 0, 0, 8] + Array("mdat".utf8), pieces: 8) }
        let clip = try await Clip.plain(seconds: 1)
        let start = try #require(try await Produced(clip.path).initialization).bytes
        #expect(throws: MediaError.self) { try events(start + [0, 0, 0, 8] + Array("mdat".utf8), pieces: 64) }
    }

    @Test("damage anywhere throws or is carried through, and never traps")
    func mutations() async throws {
        let clip = try await Clip.plain(seconds: 1)
        let produced = try await Produced(clip.path)
        let bytes = produced.bytes
        // The structure, where damage matters: the header and the first fragment's moof.
        let structure = (produced.initialization?.bytes.count ?? 0) + 1500
        var random = SeededRandom(state: 42)
        var refused = 0
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let offset = Int.random(in: 0..<min(structure, damaged.count), using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[offset] = UInt8.random(in: 0...255, using: &random)
                case 1: damaged[offset] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
                case 2: damaged.removeSubrange(offset..<min(offset + 16, damaged.count))
                default: damaged.insert(contentsOf: [0xff, 0xff, 0xff, 0xff], at: offset)
                }
            }
            var chunks = ChunkPlanner(bytesMax: 10_000, secondsTarget: 1)
            var segments = SegmentPlanner()
            do {
                for event in try events(damaged, pieces: 60_000) {
                    switch event {
                    case .initialization(let segment):
                        chunks.begin(segment)
                        segments.begin(segment)
                    case .fragment(let fragment):
                        _ = chunks.add(fragment)
                        segments.add(fragment)
                    }
                }
                _ = chunks.finish()
                _ = segments.peakBitsPerSecond + segments.averageBitsPerSecond
            } catch {
                refused += 1
            }
        }
        #expect(refused > 250)
    }
}

/// SplitMix64: the same numbers in every run.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
