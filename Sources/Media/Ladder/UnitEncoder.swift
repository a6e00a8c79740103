import Base
import Glibc
import Processes

/// What a unit became.
package struct EncodedUnit: Sendable, Hashable {
    /// One for each of the unit's labels, in their order.
    package let streams: [EncodedStream]
    /// Pictures of the source that belong to the unit …
    package let sourcePictureCount: Int
    /// … and those that every rung has. They differ where the source is damaged.
    package let pictureCount: Int
}

/// Encodes units of work: one ffmpeg decodes once and makes all rungs.
package struct UnitEncoder: Sendable {
    /// Pictures before the first that a decoder can make something of, at the beginning of a recording.
    private static let leadingPicturesMax = 60
    /// Share of a unit's pictures that a damaged source may lack.
    private static let lostShareMax = 0.01

    /// They are listed in an argument of ffmpeg, which may have 128 KiB.
    private static let keyframesMax = 8000

    private let tools: MediaTools

    package init(_ tools: MediaTools) { self.tools = tools }

    /// What the scratch folder must hold while a unit is encoded.
    package static func scratchBytes(rungs: [LadderRung], seconds: Double, sourceBytes: Int) -> Int {
        let made = rungs.reduce(0) { $0 + Int(Double($1.peakBitsPerSecond + $1.bufferBits) / 8 * seconds.rounded(.up)) }
        return sourceBytes + 2 * made + ByteCount.mebibyte
    }

    /// - Parameters:
    ///   - scratch: where the streams lie afterwards; they are gone with it.
    ///   - source: gives the source rendition's initialization segment and the segments that the unit says, in pieces
    ///     of any length; nil at the end.
    ///   - progress: is told about twice a second.
    /// - Throws: ``MediaError``, ``Failure`` of the scratch disk, or what `source` throws. ffmpeg is gone when this
    ///   returns, also when the task is cancelled.
    package func encode(
        _ unit: WorkUnit, of ladder: LadderPlan, in scratch: ScratchFolder,
        source: () async throws -> [UInt8]?, progress: @Sendable (EncodeProgress) -> Void = { _ in }
    ) async throws -> EncodedUnit {
        let rungs = ladder.rungs.filter { unit.labels.contains($0.label) }
        guard rungs.count == unit.labels.count, !rungs.isEmpty else {
            throw MediaError(.unknownQuality, "the unit has a label that its ladder has not")
        }
        let path = scratch.file("source.mp4")
        let pictures = try await gather(source, for: unit, into: path)
        let cut = try pictures.cut(unit)
        guard cut.keyframes.count <= Self.keyframesMax else {
            throw MediaError(.unsupported, "the source has too few keyframes to be cut into units")
        }
        let outputs = rungs.map { scratch.file("\($0.label).raw") }
        let command = LadderCommand(
            ladder: ladder, rungs: rungs, timescale: pictures.timescale, cut: cut, tools: tools
        ).command(source: path, outputs: outputs)
        let words = try await FFmpegRun.run(command, frameCount: cut.wanted.count, progress: progress)
        remove(path)
        var streams: [EncodedStream] = []
        var shown: [Int64]?
        for (rung, output) in zip(rungs, outputs) {
            let (stream, presentations) = try await assemble(
                rung, from: output, delay: Self.delay(ladder, pictures.timescale), cut.range,
                into: scratch.file("\(rung.label).mp4"))
            guard shown ?? presentations == presentations else {
                throw MediaError(.badEncode, "the rungs of a unit do not show the same pictures")
            }
            shown = presentations
            streams.append(stream)
            remove(output)
        }
        try check(shown ?? [], cut, isFirst: unit.part == 0, words: words)
        return EncodedUnit(
            streams: streams, sourcePictureCount: cut.wanted.count, pictureCount: shown?.count ?? 0)
    }

    /// Two pictures: what x264 reorders with the preset that is used.
    private static func delay(_ ladder: LadderPlan, _ timescale: UInt32) -> Int64 {
        Int64((2 * Double(timescale) / max(1, ladder.frameRate ?? 30)).rounded(.up))
    }

    /// Keeps what the unit has to decode.
    private func gather(
        _ source: () async throws -> [UInt8]?, for unit: WorkUnit, into path: String
    ) async throws -> SourcePictures {
        let file = try ScratchFile(path)
        var timeline = SourceTimeline(of: unit)
        while let piece = try await source() {
            for bytes in try timeline.feed(piece) { try await file.append(bytes) }
        }
        let (pictures, rest) = try timeline.finish()
        for bytes in rest { try await file.append(bytes) }
        return pictures
    }

    private func assemble(
        _ rung: LadderRung, from raw: String, delay: Int64, _ range: Range<Int64>, into path: String
    ) async throws -> (EncodedStream, [Int64]) {
        let file = try ScratchFile(path)
        var parser = FragmentParser()
        var made: (header: InitializationSegment, cmaf: InitializationSegment, track: InitializationSegment.Track)?
        var assembler: PictureAssembler?
        try await ScratchFile.readThrough(raw) { piece in
            for event in try parser.feed(piece) {
                switch event {
                case .initialization(let header):
                    guard let track = header.video else { throw Self.noPicture }
                    let cmaf = try CMAFHeader.make(header, track: track, mediaStart: delay)
                    try await file.append(cmaf.bytes)
                    made = (header, cmaf, track)
                    assembler = PictureAssembler(
                        trackID: track.id, timescale: track.timescale, delay: delay, range: range)
                case .fragment(let fragment):
                    guard let made else { throw Self.noPicture }
                    let samples = try TimedSample.all(of: made.track, in: fragment, made.header)
                    try await file.append(try assembler?.add(samples) ?? [])
                }
            }
        }
        try await file.append(try assembler?.finish() ?? [])
        guard let made, let assembler else { throw Self.noPicture }
        let stream = EncodedStream(
            label: rung.label, initialization: made.cmaf.bytes, codec: made.cmaf.codecs, width: made.track.width,
            height: made.track.height, timescale: Int(made.track.timescale), segments: assembler.segments, path: path)
        return (stream, assembler.presentations)
    }

    /// The pictures must be the source's, at its times; a damaged source may lack some.
    private func check(_ shown: [Int64], _ cut: SourcePictures.Cut, isFirst: Bool, words: String) throws(MediaError) {
        guard Set(shown).isSubset(of: cut.wanted) else {
            throw MediaError(.badEncode, "the encode shows pictures at times at which the source has none")
        }
        let leading = isFirst ? cut.wanted.prefix { $0 < shown.first ?? 0 }.count : 0
        let lost = cut.wanted.count - shown.count - min(leading, Self.leadingPicturesMax)
        guard Double(lost) <= Self.lostShareMax * Double(cut.wanted.count) else {
            throw MediaError(
                .conversionFailed,
                "\(lost) of \(cut.wanted.count) pictures of the source could not be decoded: it is damaged",
                detail: words)
        }
    }

    private static let noPicture = MediaError(.badEncode, "ffmpeg made no picture of the unit")

    private func remove(_ path: String) { unlink(path) }
}
