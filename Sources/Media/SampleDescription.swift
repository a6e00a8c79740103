import Base

/// An entry of `stsd`: which codec, told the way RFC 6381 names it.
struct SampleDescription {
    let kind: InitializationSegment.Kind
    let codec: String
    var width = 0
    var height = 0
    /// Of sound, as its AudioSpecificConfig says; 0 where that says it elsewhere.
    var channels = 0

    init(_ entry: BoxReader.Box) throws(MediaError) {
        switch entry.type {
        case "avc1", "avc3":
            var fields = BoxReader(entry.body)
            try fields.skip(24)
            kind = .video
            width = Int(try fields.u16())
            height = Int(try fields.u16())
            try fields.skip(50)
            var configuration = try BoxReader.required("avcC", in: fields.rest)
            try configuration.skip(1)
            codec = "\(entry.type)." + Self.hex(try configuration.take(3))
        case "mp4a":
            var fields = BoxReader(entry.body)
            try fields.skip(28)
            kind = .audio
            var descriptor = try BoxReader.required("esds", in: fields.rest)
            try descriptor.skip(4)
            (codec, channels) = try Self.audioCodec(&descriptor)
        default:
            kind = .other
            codec = "\(entry.type)"
        }
    }

    /// `mp4a.<object type>.<audio object type>` from an ES_Descriptor (ISO/IEC 14496-1 §7.2.6.5, 14496-3 §1.6.2).
    private static func audioCodec(_ reader: inout BoxReader) throws(MediaError) -> (
        codec: String, channels: Int
    ) {
        try expect(3, &reader)
        try reader.skip(2)
        let flags = try reader.u8()
        if flags & 0x80 != 0 { try reader.skip(2) }
        if flags & 0x40 != 0 { try reader.skip(Int(try reader.u8())) }
        if flags & 0x20 != 0 { try reader.skip(2) }
        try expect(4, &reader)
        let objectType = hex([try reader.u8()])
        try reader.skip(12)
        guard reader.remaining > 0 else { return ("mp4a.\(objectType)", 0) }
        try expect(5, &reader)
        let first = try reader.u8()
        let second = reader.remaining > 0 ? try reader.u8() : 0
        let short = Int(first >> 3)
        let audioType = short == 31 ? 32 + (Int(first & 7) << 3 | Int(second >> 5)) : short
        // Four bits of the rate's index, then four of the channels; an index of 15 is followed by the rate itself.
        let rateIndex = (first & 7) << 1 | second >> 7
        let channels = short == 31 || rateIndex == 15 ? 0 : Int(second >> 3 & 15)
        return ("mp4a.\(objectType).\(audioType)", channels)
    }

    /// A descriptor's tag and its length, which takes one to four bytes.
    private static func expect(_ tag: UInt8, _ reader: inout BoxReader) throws(MediaError) {
        guard try reader.u8() == tag else {
            throw BoxReader.malformed("the audio track's description is not understood")
        }
        for _ in 0..<4 where try reader.u8() & 0x80 == 0 { return }
        throw BoxReader.malformed("the audio track's description is not understood")
    }

    private static func hex(_ bytes: ArraySlice<UInt8>) -> String { bytes.withUnsafeBytes(Hex.string) }
}
