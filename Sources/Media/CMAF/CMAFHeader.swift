/// The initialization segment of a CMAF track (ISO/IEC 23000-19 §7.3.2), made from that of a file that ffmpeg wrote.
///
/// Codec and picture are told by the boxes of ffmpeg; what depends on where and how long a part was encoded is set by
/// us, so that all parts of a rendition have the same bytes.
enum CMAFHeader {
    /// - Parameters:
    ///   - track: the only one that is kept.
    ///   - mediaStart: composition time, in the track's timescale, at which the presentation begins: what the first
    ///     picture waits between decoding and showing, or what an encoder of sound puts before it.
    static func make(
        _ source: InitializationSegment, track: InitializationSegment.Track, mediaStart: Int64, language: String? = nil
    ) throws(MediaError) -> InitializationSegment {
        var writer = BoxWriter()
        writer.box("ftyp") { box in
            for brand: FourCC in ["iso6", "cmfc", "iso6", "dash"] {
                box.u32(brand.code)
                // The first is the major brand, which a version follows.
                if box.bytes.count == 12 { box.u32(0) }
            }
        }
        let moov = try BoxReader.required("moov", in: source.bytes[...]).rest
        let trak = try trak(of: track.id, in: moov)
        let media = try BoxReader.required("mdia", in: trak).rest
        let header = try BoxReader.required("tkhd", in: trak).rest
        let information = try BoxReader.required("minf", in: media).rest
        let handler = try BoxReader.required("hdlr", in: media).rest
        writer.box("moov") { moov in
            movieHeader(&moov, trackID: track.id)
            moov.box("trak") { trak in
                trackHeader(&trak, header)
                editList(&trak, mediaStart)
                trak.box("mdia") { media in
                    mediaHeader(&media, timescale: track.timescale, language: language)
                    media.box("hdlr") { $0.raw(handler) }
                    media.box("minf") { $0.raw(information) }
                }
            }
            moov.box("mvex") { extends in
                extends.fullBox("trex") { box in
                    box.u32(track.id)
                    box.u32(1)
                    for _ in 0..<3 { box.u32(0) }
                }
            }
        }
        return try InitializationSegment(bytes: writer.bytes)
    }

    private static func trak(of id: UInt32, in moov: ArraySlice<UInt8>) throws(MediaError) -> ArraySlice<UInt8> {
        var reader = BoxReader(moov)
        while let box = try reader.box() {
            guard box.type == "trak" else { continue }
            var header = try BoxReader.required("tkhd", in: box.body)
            try header.skip(try header.u32() >> 24 == 1 ? 16 : 8)
            if try header.u32() == id { return box.body }
        }
        throw BoxReader.malformed("a track is missing")
    }

    private static let unityMatrix: [UInt32] = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000]

    private static func movieHeader(_ writer: inout BoxWriter, trackID: UInt32) {
        writer.fullBox("mvhd") { box in
            for _ in 0..<2 { box.u32(0) }
            box.u32(1000)
            box.u32(0)
            box.u32(0x10000)
            box.u16(0x100)
            for _ in 0..<10 { box.u8(0) }
            for value in unityMatrix { box.u32(value) }
            for _ in 0..<6 { box.u32(0) }
            box.u32(trackID + 1)
        }
    }

    /// As it was, of unknown duration.
    private static func trackHeader(_ writer: inout BoxWriter, _ old: ArraySlice<UInt8>) {
        let isLong = old.first == 1
        writer.box("tkhd") { box in
            let start = box.bytes.count
            box.raw(old)
            // After version, flags, two times, id and a reserved word; two words where times are long.
            box.patch(0, at: start + (isLong ? 28 : 20))
            if isLong { box.patch(0, at: start + 32) }
        }
    }

    private static func editList(_ writer: inout BoxWriter, _ mediaStart: Int64) {
        guard mediaStart > 0 else { return }
        writer.box("edts") { edits in
            edits.fullBox("elst") { box in
                box.u32(1)
                // Of unknown duration, as everything in the file.
                box.u32(0)
                box.u32(UInt32(clamping: mediaStart))
                box.u32(0x10000)
            }
        }
    }

    private static func mediaHeader(_ writer: inout BoxWriter, timescale: UInt32, language: String?) {
        writer.fullBox("mdhd") { box in
            for _ in 0..<2 { box.u32(0) }
            box.u32(timescale)
            box.u32(0)
            box.u16(code(language))
            box.u16(0)
        }
    }

    /// ISO 639-2/T, five bits a letter; `und` for what is none.
    private static func code(_ language: String?) -> UInt16 {
        let letters = (language ?? "").utf8.map { UInt16($0) }
        let isCode = letters.count == 3 && letters.allSatisfy { (0x61...0x7a).contains($0) }
        let und: [UInt16] = [0x75, 0x6e, 0x64]
        return (isCode ? letters : und).reduce(0) { $0 << 5 | ($1 - 0x60) }
    }
}
