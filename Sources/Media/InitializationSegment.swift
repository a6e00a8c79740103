/// The start of a fragmented MP4, `ftyp` and `moov`: what its tracks are, before any of their samples.
package struct InitializationSegment: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case video, audio, other
    }

    package struct Track: Sendable, Hashable {
        package let id: UInt32
        package let kind: Kind
        /// Units of the track's time in a second.
        package let timescale: UInt32
        /// RFC 6381, such as `avc1.640028` or `mp4a.40.2`.
        package let codec: String
        /// As coded; zero for sound.
        package let width: Int
        package let height: Int
        /// Of sound, where the track says it.
        package let channels: Int
        /// Media time at which the track's presentation begins (the edit list), in its timescale.
        let mediaStart: Int64
        /// Seconds of the movie before the track begins (an empty edit).
        let delaySeconds: Double
        let defaults: SampleDefaults

        /// What to add to a sample's composition time to have its place on the presentation's timeline.
        var presentationShift: Int64 {
            Int64((delaySeconds * Double(timescale)).rounded()) - mediaStart
        }
    }

    /// What samples have when a fragment does not say (`trex`).
    struct SampleDefaults: Sendable, Hashable {
        var duration: UInt32 = 0
        var size: UInt32 = 0
        var flags: UInt32 = 0
    }

    package let bytes: [UInt8]
    package let tracks: [Track]

    package var video: Track? { tracks.first { $0.kind == .video } }
    package var audio: Track? { tracks.first { $0.kind == .audio } }

    /// The tracks' codecs as a playlist says them, picture first.
    package var codecs: String {
        let ordered = tracks.filter { $0.kind == .video } + tracks.filter { $0.kind == .audio }
        return ordered.map(\.codec).joined(separator: ",")
    }

    /// - Parameter bytes: whole boxes, `moov` the last.
    init(bytes: [UInt8]) throws(MediaError) {
        let moov = try BoxReader.required("moov", in: bytes[...]).rest
        var header = try BoxReader.required("mvhd", in: moov)
        let isLong = try header.u32() >> 24 == 1
        try header.skip(isLong ? 16 : 8)
        let movieTimescale = try header.u32()

        let defaults = try Self.defaults(moov)
        var tracks: [Track] = []
        var reader = BoxReader(moov)
        while let box = try reader.box() {
            guard box.type == "trak" else { continue }
            guard tracks.count < Self.trackCountMax else { throw BoxReader.malformed("it has too many tracks") }
            tracks.append(try Self.track(box.body, movieTimescale: movieTimescale, defaults: defaults))
        }
        guard !tracks.isEmpty else { throw BoxReader.malformed("it has no track") }
        self.bytes = bytes
        self.tracks = tracks
    }

    private static let trackCountMax = 64

    private static func defaults(_ moov: ArraySlice<UInt8>) throws(MediaError) -> [UInt32: SampleDefaults] {
        var result: [UInt32: SampleDefaults] = [:]
        var reader = try BoxReader.required("mvex", in: moov)
        while let box = try reader.box() {
            guard box.type == "trex" else { continue }
            var fields = BoxReader(box.body)
            try fields.skip(4)
            let id = try fields.u32()
            try fields.skip(4)
            let duration = try fields.u32()
            result[id] = SampleDefaults(duration: duration, size: try fields.u32(), flags: try fields.u32())
        }
        return result
    }

    private static func track(
        _ trak: ArraySlice<UInt8>, movieTimescale: UInt32, defaults: [UInt32: SampleDefaults]
    ) throws(MediaError) -> Track {
        var header = try BoxReader.required("tkhd", in: trak)
        try header.skip(try header.u32() >> 24 == 1 ? 16 : 8)
        let id = try header.u32()

        let mdia = try BoxReader.required("mdia", in: trak).rest
        var media = try BoxReader.required("mdhd", in: mdia)
        try media.skip(try media.u32() >> 24 == 1 ? 16 : 8)
        let timescale = try media.u32()
        guard timescale > 0 else { throw BoxReader.malformed("a track's timescale is zero") }

        let minf = try BoxReader.required("minf", in: mdia).rest
        let stbl = try BoxReader.required("stbl", in: minf).rest
        var descriptions = try BoxReader.required("stsd", in: stbl)
        try descriptions.skip(8)
        guard let entry = try descriptions.box() else { throw BoxReader.malformed("a track has no sample description") }
        let description = try SampleDescription(entry)
        let edit = try edit(trak, movieTimescale: movieTimescale)
        return Track(
            id: id, kind: description.kind, timescale: timescale, codec: description.codec, width: description.width,
            height: description.height, channels: description.channels, mediaStart: edit.mediaStart,
            delaySeconds: edit.delaySeconds,
            defaults: defaults[id] ?? SampleDefaults())
    }

    /// Sums of a few times below these do not overflow.
    private static let mediaStartMax: Int64 = 1 << 60
    private static let delaySecondsMax = 1e8

    private static func edit(_ trak: ArraySlice<UInt8>, movieTimescale: UInt32) throws(MediaError) -> (
        mediaStart: Int64, delaySeconds: Double
    ) {
        var delaySeconds = 0.0
        guard let edts = try BoxReader.first("edts", in: trak), var list = try BoxReader.first("elst", in: edts.rest)
        else { return (0, 0) }
        let isLong = try list.u32() >> 24 == 1
        for _ in 0..<min(try list.u32(), 16) {
            let duration = isLong ? try list.u64() : UInt64(try list.u32())
            let start = isLong ? Int64(bitPattern: try list.u64()) : Int64(Int32(bitPattern: try list.u32()))
            try list.skip(4)
            guard start < 0 else {
                guard start <= mediaStartMax else { throw BoxReader.malformed("a track begins at an absurd time") }
                return (start, delaySeconds)
            }
            if movieTimescale > 0 { delaySeconds += Double(duration) / Double(movieTimescale) }
            guard delaySeconds <= delaySecondsMax else { throw BoxReader.malformed("a track begins absurdly late") }
        }
        return (0, delaySeconds)
    }
}
