/// A fragment of one track as it is written: `moof` and `mdat`.
struct CMAFFragment {
    struct Sample {
        let duration: UInt32
        /// From decoding to showing, never below zero.
        let compositionOffset: UInt32
        let isKeyframe: Bool
        let bytes: ArraySlice<UInt8>
    }

    /// `sample_depends_on = 2`, and a sync sample.
    private static let keyframeFlags: UInt32 = 0x0200_0000
    /// `sample_depends_on = 1`, and no sync sample.
    private static let otherFlags: UInt32 = 0x0101_0000

    /// - Parameters:
    ///   - sequence: of the fragment in its stream; players do not mind where it begins.
    ///   - decodeTime: of the first sample.
    static func bytes(trackID: UInt32, sequence: UInt32, decodeTime: UInt64, _ samples: [Sample]) -> [UInt8] {
        var writer = BoxWriter()
        var dataOffsetPlace = 0
        writer.box("moof") { moof in
            moof.fullBox("mfhd") { $0.u32(sequence) }
            moof.box("traf") { traf in
                // default-base-is-moof, default-sample-flags-present
                traf.fullBox("tfhd", flags: 0x20020) { box in
                    box.u32(trackID)
                    box.u32(samples.allSatisfy(\.isKeyframe) ? keyframeFlags : otherFlags)
                }
                traf.fullBox("tfdt", version: 1) { $0.u64(decodeTime) }
                // Data offset, first sample's flags, and of each sample duration, size and composition offset.
                traf.fullBox("trun", flags: 0xb05) { box in
                    box.u32(UInt32(samples.count))
                    dataOffsetPlace = box.bytes.count
                    box.u32(0)
                    box.u32(samples.first?.isKeyframe == true ? keyframeFlags : otherFlags)
                    for sample in samples {
                        box.u32(sample.duration)
                        box.u32(UInt32(sample.bytes.count))
                        box.u32(sample.compositionOffset)
                    }
                }
            }
        }
        writer.patch(UInt32(writer.bytes.count + 8), at: dataOffsetPlace)
        writer.box("mdat") { box in for sample in samples { box.raw(sample.bytes) } }
        return writer.bytes
    }
}
