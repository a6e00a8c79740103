/// Packets of sound into CMAF segments of about 6 s. Pure.
///
/// Invariants: segments follow each other on the video's timeline, a packet in the segment in whose cell its middle
/// lies. Decode times are presentation times moved by the lead, what an encoder put before the first sound.
struct SoundAssembler {
    private let trackID: UInt32
    private let timescale: Int64
    /// Ticks that are decoded and not heard, taken back by the header's edit list.
    let lead: Int64
    private var packets: [TimedSample] = []
    private(set) var segments: [EncodedSegment] = []
    /// Whether each packet begins where the one before ends.
    private(set) var isGapless = true
    private(set) var dataBytes = 0
    private var sequence: UInt32 = 0
    private var offsetBytes = 0

    /// - Parameter first: presentation of the first packet; below zero for what an edit list hides.
    init(trackID: UInt32, timescale: UInt32, first: Int64) {
        self.trackID = trackID
        self.timescale = Int64(timescale)
        lead = max(0, -first)
    }

    /// Takes packets in order and gives the bytes of segments that are complete by them.
    mutating func add(_ samples: [TimedSample]) -> [UInt8] {
        var bytes: [UInt8] = []
        for sample in samples {
            if let last = packets.last, sample.presentation <= last.presentation {
                isGapless = false
                continue
            }
            if let first = packets.first, cell(of: sample) != cell(of: first) {
                bytes += close(at: sample.presentation)
            }
            if let last = packets.last, abs(sample.presentation - last.presentation - Int64(last.duration)) > 1 {
                isGapless = false
            }
            packets.append(sample)
            dataBytes += sample.bytes.count
        }
        return bytes
    }

    mutating func finish() -> [UInt8] {
        guard let last = packets.last else { return [] }
        return close(at: last.presentation + Int64(last.duration))
    }

    /// Bits per second over all segments so far.
    var bitsPerSecond: Double {
        let ticks = (segments.last?.endTicks ?? 0) - (segments.first?.startTicks ?? 0)
        return ticks > 0 ? Double(dataBytes) * 8 * Double(timescale) / Double(ticks) : 0
    }

    private func cell(of sample: TimedSample) -> Int64 {
        max(0, sample.presentation + Int64(sample.duration) / 2) / (timescale * Int64(WorkUnitPlan.segmentSeconds))
    }

    private mutating func close(at end: Int64) -> [UInt8] {
        let samples = packets.indices.map { index in
            let next = index + 1 < packets.count ? packets[index + 1].presentation : end
            return CMAFFragment.Sample(
                duration: UInt32(clamping: next - packets[index].presentation), compositionOffset: 0, isKeyframe: true,
                bytes: packets[index].bytes)
        }
        let start = packets[0].presentation
        sequence += 1
        let bytes = CMAFFragment.bytes(
            trackID: trackID, sequence: sequence, decodeTime: UInt64(max(0, start + lead)), samples)
        // The first segment is heard from zero on.
        let heard = max(0, start)
        segments.append(
            EncodedSegment(
                offsetBytes: offsetBytes, sizeBytes: bytes.count, startTicks: heard,
                durationTicks: max(0, end - heard), sampleCount: samples.count))
        offsetBytes += bytes.count
        packets = []
        return bytes
    }
}
