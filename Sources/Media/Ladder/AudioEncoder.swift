import Base
import Glibc
import Processes

/// Makes the one sound rendition of a video: the whole file at once, since an encoder's lead-in at each joint would be
/// heard.
package struct AudioEncoder: Sendable {
    package static let label = "audio"
    /// AAC-LC in RFC 6381.
    package static let codec = "mp4a.40.2"
    /// A source's rate is taken as it is up to this many times what the ladder asks for.
    private static let rateToleranceMax = 1.25

    private let tools: MediaTools

    package init(_ tools: MediaTools) { self.tools = tools }

    /// What the scratch folder must hold: the source's sound and ours, each twice. The picture is never kept.
    package static func scratchBytes(seconds: Double) -> Int {
        let bitsPerSecondMax = 1_000_000.0
        return Int(max(0, seconds) * bitsPerSecondMax / 8) + ByteCount.mebibyte
    }

    /// - Parameters:
    ///   - bitsPerSecond: that the ladder asks for.
    ///   - language: ISO 639-2 of the sound, for the track's header; nil when it is not known.
    ///   - scratch: where the stream lies afterwards; it is gone with it.
    ///   - source: gives the whole source rendition in pieces of any length; nil at the end.
    /// - Returns: nil when the source has no sound; then it was not read to its end.
    /// - Throws: ``MediaError``, ``Failure`` of the scratch disk, or what `source` throws.
    package func encode(
        bitsPerSecond: Int, language: String? = nil, in scratch: ScratchFolder,
        source: () async throws -> [UInt8]?, progress: @Sendable (EncodeProgress) -> Void = { _ in }
    ) async throws -> EncodedStream? {
        var copy = SoundFile(language: language, path: scratch.file("audio-source.mp4"))
        while let piece = try await source() {
            try await copy.feed(piece)
            if copy.hasNoSound { return nil }
        }
        guard let copied = try await copy.finish() else { return nil }
        if copy.isFit(bitsPerSecondMax: Double(bitsPerSecond) * Self.rateToleranceMax) { return copied }
        let raw = scratch.file("audio.raw")
        let command = command(copied.path, channels: copy.channels, bitsPerSecond: bitsPerSecond, output: raw)
        _ = try await FFmpegRun.run(command, frameCount: 0, progress: progress)
        unlink(copied.path)
        var made = SoundFile(language: language, path: scratch.file("audio.mp4"))
        try await ScratchFile.readThrough(raw) { try await made.feed($0) }
        unlink(raw)
        guard let stream = try await made.finish() else {
            throw MediaError(.badEncode, "ffmpeg made no sound of the source's")
        }
        return stream
    }

    private func command(_ source: String, channels: Int, bitsPerSecond: Int, output: String) -> Command {
        var arguments = ["-nostdin", "-hide_banner", "-v", "error", "-nostats", "-y", "-progress", "pipe:1"]
        arguments += ["-copyts"] + MediaTools.input(source) + ["-map", "0:a:0", "-map_metadata", "-1"]
        arguments += ["-c:a", "aac", "-profile:a", "aac_low", "-b:a", "\(bitsPerSecond)", "-ac", "2", "-ar", "48000"]
        // A single channel goes to both sides as it is; ffmpeg's own way would make it quieter.
        let sides = channels == 1 ? "pan=stereo|c0=c0|c1=c0," : ""
        // Gaps and drift are filled by resampling, so that sound and picture stay together.
        arguments += ["-af", "\(sides)aresample=async=1:first_pts=0", "-threads", "1", "-f", "mp4"]
        arguments += [
            "-movflags", "+delay_moov+default_base_moof+skip_trailer", "-frag_duration", "2000000", "-write_btrt", "0",
        ]
        return tools.background(arguments + ["file:\(output)"])
    }
}

/// The sound of a fragmented MP4, written to a file as CMAF while its bytes pass by.
private struct SoundFile {
    let language: String?
    let path: String
    private var parser = FragmentParser()
    private var header: InitializationSegment?
    private var made: InitializationSegment?
    private var assembler: SoundAssembler?
    private var file: ScratchFile?

    init(language: String?, path: String) {
        self.language = language
        self.path = path
    }

    var hasNoSound: Bool { header != nil && header?.audio == nil }

    var channels: Int { made?.audio?.channels ?? 0 }

    mutating func feed(_ bytes: [UInt8]) async throws {
        for event in try parser.feed(bytes) {
            switch event {
            case .initialization(let segment): header = segment
            case .fragment(let fragment):
                guard let header, let track = header.audio else { continue }
                let samples = try TimedSample.all(of: track, in: fragment, header)
                if let first = samples.first { try await begin(header, track, first.presentation) }
                try await file?.append(assembler?.add(samples) ?? [])
            }
        }
    }

    /// - Returns: nil when there was no sound.
    mutating func finish() async throws -> EncodedStream? {
        try parser.finish()
        try await file?.append(assembler?.finish() ?? [])
        guard let made, let track = made.audio, let assembler else { return nil }
        file = nil
        return EncodedStream(
            label: AudioEncoder.label, initialization: made.bytes, codec: made.codecs, width: 0, height: 0,
            timescale: Int(track.timescale), segments: assembler.segments, path: path)
    }

    /// Stereo AAC-LC without gaps, at no more than that rate.
    func isFit(bitsPerSecondMax: Double) -> Bool {
        guard let track = made?.audio, let assembler else { return false }
        return track.codec == AudioEncoder.codec && track.channels == 2 && assembler.isGapless
            && assembler.bitsPerSecond <= bitsPerSecondMax
    }

    private mutating func begin(
        _ header: InitializationSegment, _ track: InitializationSegment.Track, _ first: Int64
    ) async throws {
        guard assembler == nil else { return }
        let assembler = SoundAssembler(trackID: track.id, timescale: track.timescale, first: first)
        let made = try CMAFHeader.make(header, track: track, mediaStart: assembler.lead, language: language)
        let file = try ScratchFile(path)
        try await file.append(made.bytes)
        (self.assembler, self.made, self.file) = (assembler, made, file)
    }
}
