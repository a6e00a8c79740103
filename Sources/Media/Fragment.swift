/// A run of samples that stands for itself in a fragmented MP4: a `moof` with what belongs before it, and its `mdat`.
package struct Fragment: Sendable, Hashable {
    package let bytes: [UInt8]
    /// When its first picture is shown, from the start of the presentation; the sound's time where it has no picture.
    package let startSeconds: Double
    package let durationSeconds: Double
    package let startsWithKeyframe: Bool
    /// Pictures in it.
    package let frameCount: Int

    package init(
        bytes: [UInt8], startSeconds: Double, durationSeconds: Double, startsWithKeyframe: Bool, frameCount: Int
    ) {
        self.bytes = bytes
        self.startSeconds = startSeconds
        self.durationSeconds = durationSeconds
        self.startsWithKeyframe = startsWithKeyframe
        self.frameCount = frameCount
    }
}

/// What a `moof` says of one track.
struct TrackFragment {
    /// A fragment with more samples is an attack, or a source no player would survive.
    private static let sampleCountMax = 1_000_000

    private(set) var trackID: UInt32 = 0
    private(set) var decodeTime: UInt64 = 0
    private(set) var duration: UInt64 = 0
    private(set) var samples: [Sample] = []
    /// Bytes of a run of samples follow each other.
    private(set) var runs: [Run] = []
    /// Whether offsets count from the fragment's `moof` (`default-base-is-moof`).
    private(set) var isBasedOnFragment = false

    struct Sample {
        let duration: UInt32
        let size: UInt32
        let isKeyframe: Bool
        /// From decoding to showing.
        let compositionOffset: Int64
    }

    struct Run {
        let samples: Range<Int>
        /// Of its first byte; nil where it follows the run before.
        let dataOffset: Int?
    }

    var sampleCount: Int { samples.count }
    var firstSampleIsKeyframe: Bool { samples.first?.isKeyframe ?? false }
    var firstCompositionOffset: Int64 { samples.first?.compositionOffset ?? 0 }

    private var defaults = InitializationSegment.SampleDefaults()

    /// The tracks of a `moof`, those that have samples.
    static func all(in moof: ArraySlice<UInt8>, _ initialization: InitializationSegment) throws(MediaError)
        -> [TrackFragment]
    {
        var result: [TrackFragment] = []
        var reader = BoxReader(moof)
        while let box = try reader.box() {
            guard box.type == "traf" else { continue }
            guard result.count < 64 else { throw BoxReader.malformed("a fragment has too many tracks") }
            let track = try TrackFragment(box.body, initialization)
            if track.sampleCount > 0 { result.append(track) }
        }
        return result
    }

    private init(_ traf: ArraySlice<UInt8>, _ initialization: InitializationSegment) throws(MediaError) {
        try readHeader(try BoxReader.required("tfhd", in: traf), initialization)
        var time = try BoxReader.required("tfdt", in: traf)
        decodeTime = try time.u32() >> 24 == 1 ? try time.u64() : UInt64(try time.u32())
        var reader = BoxReader(traf)
        while let box = try reader.box() { if box.type == "trun" { try readRun(BoxReader(box.body)) } }
    }

    private mutating func readHeader(_ header: BoxReader, _ initialization: InitializationSegment) throws(MediaError) {
        var fields = header
        let flags = try fields.u32()
        trackID = try fields.u32()
        guard let track = initialization.tracks.first(where: { $0.id == trackID }) else {
            throw BoxReader.malformed("a fragment is of a track that does not exist")
        }
        defaults = track.defaults
        isBasedOnFragment = flags & 0x20001 == 0x20000
        if flags & 0x1 != 0 { try fields.skip(8) }
        if flags & 0x2 != 0 { try fields.skip(4) }
        if flags & 0x8 != 0 { defaults.duration = try fields.u32() }
        if flags & 0x10 != 0 { defaults.size = try fields.u32() }
        if flags & 0x20 != 0 { defaults.flags = try fields.u32() }
    }

    private mutating func readRun(_ run: BoxReader) throws(MediaError) {
        var fields = run
        let flags = try fields.u32()
        let count = Int(try fields.u32())
        guard sampleCount + count <= Self.sampleCountMax else {
            throw BoxReader.malformed("a fragment has more than \(Self.sampleCountMax) samples")
        }
        let dataOffset = flags & 0x1 != 0 ? Int(Int32(bitPattern: try fields.u32())) : nil
        let firstFlags = flags & 0x4 != 0 ? try fields.u32() : nil
        runs.append(Run(samples: samples.count..<samples.count + count, dataOffset: dataOffset))
        for index in 0..<count {
            let sampleDuration = flags & 0x100 != 0 ? try fields.u32() : defaults.duration
            let size = flags & 0x200 != 0 ? try fields.u32() : defaults.size
            let ownFlags = flags & 0x400 != 0 ? try fields.u32() : defaults.flags
            let offset = flags & 0x800 != 0 ? Int64(Int32(bitPattern: try fields.u32())) : 0
            // At most a million times 2^32: no overflow.
            duration += UInt64(sampleDuration)
            let sampleFlags = index == 0 ? firstFlags ?? ownFlags : ownFlags
            samples.append(
                Sample(
                    duration: sampleDuration, size: size, isKeyframe: sampleFlags & 0x10000 == 0,
                    compositionOffset: offset))
        }
    }
}
