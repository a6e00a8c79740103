import Base
import Foundation
import Processes
import Testing

@testable import Media

/// A clip's source rendition as a follower finds it: an initialization segment and segments.
struct LadderSource {
    let initialization: [UInt8]
    let segments: [SourceSegment]
    let width: Int
    let height: Int
    let frameRate: Double?
    private let bytes: [UInt8]
    private let ranges: [Range<Int>]

    init(_ clip: Clip) async throws {
        let info = try await MediaProbe().examine(clip.path)
        let plan = RenditionPlan(for: info)
        let produced = try await Produced(clip.path, plan)
        let header = try #require(produced.initialization)
        var planner = SegmentPlanner()
        planner.begin(header)
        for fragment in produced.fragments { planner.add(fragment) }
        initialization = header.bytes
        bytes = produced.bytes
        segments = planner.segments.map {
            SourceSegment(startSeconds: $0.startSeconds, durationSeconds: $0.durationSeconds)
        }
        ranges = planner.segments.map { $0.offsetBytes..<$0.offsetBytes + $0.sizeBytes }
        (width, height, frameRate) = (plan.width, plan.height, info.video.frameRateAverage)
    }

    /// What a follower feeds to an encoder, in pieces whose borders mean nothing.
    func reader(_ wanted: Range<Int>? = nil) -> () async throws -> [UInt8]? {
        let wanted = wanted ?? 0..<segments.count
        var rest = (initialization + wanted.flatMap { bytes[ranges[$0]] })[...]
        return {
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(50_001) }
            return Array(rest.prefix(50_001))
        }
    }

    /// The whole as a file.
    func file() throws -> Clip { try Clip(bytes: bytes) }
}

/// All parts of a ladder, made one by one.
struct EncodedLadder {
    let ladder: LadderPlan
    let plan: WorkUnitPlan
    var parts: [String: [EncodedStream]] = [:]
    var pictureCount = 0
    private let scratch: ScratchFolder

    /// - Parameter starts: where parts begin, in seconds.
    init(_ source: LadderSource, _ ladder: LadderPlan, starts: [Int]) async throws {
        self.ladder = ladder
        plan = WorkUnitPlan(segments: source.segments, labels: ladder.rungs.map(\.label), starts: starts)
        scratch = try ScratchFolder(in: NSTemporaryDirectory())
        for unit in plan.units {
            let folder = try ScratchFolder(in: scratch.path)
            let made = try await UnitEncoder(MediaTools(threads: 1)).encode(
                unit, of: ladder, in: folder, source: source.reader(unit.sourceSegments))
            #expect(made.sourcePictureCount == made.pictureCount)
            try await made.verify(unit, of: ladder, tools: MediaTools(threads: 1))
            folders.append(folder)
            for stream in made.streams { parts[stream.label, default: []].append(stream) }
            pictureCount += made.pictureCount
        }
    }

    private var folders: [ScratchFolder] = []

    /// A rung's parts as one file.
    func file(_ label: String) async throws -> Clip {
        let streams = parts[label] ?? []
        var bytes = streams.first?.initialization ?? []
        for stream in streams {
            #expect(stream.initialization == streams.first?.initialization, "all parts have one header")
            for segment in stream.segments { bytes += try await stream.bytes(of: segment) }
        }
        return try Clip(bytes: bytes)
    }

    func segments(_ label: String) -> [EncodedSegment] { (parts[label] ?? []).flatMap(\.segments) }
}

extension LadderPlan {
    /// A ladder of two small rungs, which are encoded in no time.
    static func small(_ source: LadderSource) -> LadderPlan {
        func rung(_ label: String, _ share: Int) -> LadderRung {
            LadderRung(
                label: label, width: source.width / share / 2 * 2, height: source.height / share / 2 * 2,
                videoBitsPerSecond: 600_000, peakBitsPerSecond: 900_000, bufferBits: 1_200_000,
                audioBitsPerSecond: 96_000)
        }
        return LadderPlan(rungs: [rung("480p", 1), rung("360p", 2)], frameRate: source.frameRate)
    }
}

/// Decoding by ffmpeg, beside which ours is held.
enum Decoded {
    /// How like each other the pictures of two files are, in decibels, picture by picture.
    static func likeness(_ one: Clip, _ other: Clip, width: Int, height: Int) async throws -> [Double] {
        let report = one.folder + "/psnr.txt"
        let result = try await ChildProcess.run(
            Command(
                "ffmpeg",
                [
                    "-nostdin", "-v", "error", "-i", one.path, "-i", other.path, "-lavfi",
                    "[1:v]yadif=deint=interlaced,scale=\(width):\(height)[b];[0:v][b]psnr=stats_file=\(report)", "-fps_mode",
                    "passthrough", "-f", "null", "-",
                ]), outputBytesMax: 1000)
        #expect(result.errorText == "")
        return try String(contentsOfFile: report, encoding: .utf8).split(separator: "\n").compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("psnr_avg:") }.flatMap { word in
                let value = word.dropFirst("psnr_avg:".count)
                return value == "inf" ? 100 : Double(value)
            }
        }
    }

    /// 16-bit samples from zero on, channel after channel.
    static func sound(_ clip: Clip, filters: String = "anull") async throws -> [Int16] {
        let result = try await ChildProcess.run(
            Command(
                "ffmpeg",
                [
                    "-nostdin", "-v", "error", "-copyts", "-i", clip.path, "-map", "0:a", "-af",
                    "atrim=start=0,\(filters)", "-f", "s16le", "pipe:1",
                ]), outputBytesMax: 100_000_000)
        #expect(result.errorText == "")
        return result.output.withUnsafeBytes { Array($0.bindMemory(to: Int16.self)) }
    }
}
