/// A sample out of a fragment: where its bytes are, and when it is shown on the presentation's timeline.
struct TimedSample: Hashable, Sendable {
    /// In units of the track's timescale; below zero for what an edit list hides.
    let presentation: Int64
    /// As its container says it.
    let duration: UInt32
    let isKeyframe: Bool
    let bytes: ArraySlice<UInt8>

    /// Sums of a few times below it do not overflow.
    private static let decodeTimeMax: UInt64 = 1 << 60

    /// The samples of one track in a fragment, in decoding order; none when the track is not in it.
    static func all(of track: InitializationSegment.Track, in fragment: Fragment, _ header: InitializationSegment)
        throws(MediaError) -> [TimedSample]
    {
        guard let (moof, start) = try moof(fragment.bytes) else { return [] }
        var result: [TimedSample] = []
        for part in try TrackFragment.all(in: moof, header) where part.trackID == track.id {
            guard part.isBasedOnFragment else { throw BoxReader.malformed("a fragment's offsets are absolute") }
            guard part.decodeTime <= decodeTimeMax else { throw BoxReader.malformed("a fragment's time is absurd") }
            var decode = Int64(part.decodeTime)
            var position = start
            for run in part.runs {
                if let offset = run.dataOffset { position = start + offset }
                for sample in part.samples[run.samples] {
                    let end = position + Int(sample.size)
                    guard position >= start, end <= fragment.bytes.count else {
                        throw BoxReader.malformed("a sample lies outside its fragment")
                    }
                    result.append(
                        TimedSample(
                            presentation: decode + sample.compositionOffset + track.presentationShift,
                            duration: sample.duration, isKeyframe: sample.isKeyframe,
                            bytes: fragment.bytes[position..<end]))
                    position = end
                    decode += Int64(sample.duration)
                }
            }
        }
        return result
    }

    /// When the first sample of the track is decoded, by its fragment's `tfdt`.
    static func decodeTime(
        of track: InitializationSegment.Track, in fragment: Fragment, _ header: InitializationSegment
    )
        throws(MediaError) -> UInt64
    {
        guard let (moof, _) = try moof(fragment.bytes),
            let part = try TrackFragment.all(in: moof, header).first(where: { $0.trackID == track.id })
        else { throw BoxReader.malformed("a fragment has nothing of its track") }
        guard part.decodeTime <= decodeTimeMax else { throw BoxReader.malformed("a fragment's time is absurd") }
        return part.decodeTime
    }

    /// The fragment's `moof`, and where it begins.
    private static func moof(_ bytes: [UInt8]) throws(MediaError) -> (ArraySlice<UInt8>, Int)? {
        var reader = BoxReader(bytes[...])
        var start = 0
        while let box = try reader.box() {
            if box.type == "moof" { return (box.body, start) }
            start = bytes.count - reader.remaining
        }
        return nil
    }
}
