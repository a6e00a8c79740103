import Foundation
import Processes
import Testing

@testable import Media

/// A short video made by ffmpeg in a folder of its own, removed with it.
final class Clip: Sendable {
    let folder: String
    let path: String

    /// - Parameter arguments: of ffmpeg, without the output.
    init(_ arguments: [String], name: String = "clip.mp4") async throws {
        folder = NSTemporaryDirectory() + "clip-" + UUID().uuidString
        path = folder + "/" + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard !arguments.isEmpty else { return }
        let command = Command("ffmpeg", ["-nostdin", "-v", "error"] + arguments + [path])
        let result = try await ChildProcess.run(command, outputBytesMax: 1000)
        try #require(result.status.isSuccess, "\(result.errorText)")
    }

    /// A file of these bytes.
    init(bytes: [UInt8], name: String = "clip.mp4") throws {
        folder = NSTemporaryDirectory() + "clip-" + UUID().uuidString
        path = folder + "/" + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var bytes: [UInt8] {
        get throws { [UInt8](try Data(contentsOf: URL(filePath: path))) }
    }

    static func picture(_ size: String = "320x180", seconds: Double = 3, rate: Int = 30) -> [String] {
        ["-f", "lavfi", "-i", "testsrc2=size=\(size):rate=\(rate):duration=\(seconds)"]
    }

    static func sound(seconds: Double = 3) -> [String] {
        ["-f", "lavfi", "-i", "sine=frequency=440:duration=\(seconds)"]
    }

    static let h264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "30"]

    /// H.264 with B-frames and AAC, as most uploads are.
    static func plain(seconds: Double = 3, extra: [String] = [], name: String = "clip.mp4") async throws -> Clip {
        try await Clip(
            picture(seconds: seconds) + sound(seconds: seconds) + h264 + ["-c:a", "aac"] + extra, name: name)
    }
}

/// A rendition, as the producer hands it on.
struct Produced {
    var initialization: InitializationSegment?
    var fragments: [Fragment] = []

    init(_ path: String, _ plan: RenditionPlan? = nil) async throws {
        let info = try await MediaProbe().examine(path)
        var initialization: InitializationSegment?
        var fragments: [Fragment] = []
        try await RenditionProducer(MediaTools()).produce(path, plan ?? RenditionPlan(for: info)) { event in
            switch event {
            case .initialization(let segment): initialization = segment
            case .fragment(let fragment): fragments.append(fragment)
            }
        }
        self.initialization = initialization
        self.fragments = fragments
    }

    var bytes: [UInt8] { (initialization?.bytes ?? []) + fragments.flatMap(\.bytes) }

    /// The whole as a file, with what ffprobe has to say about it.
    func verified() async throws -> Verified {
        let clip = try Clip(bytes: bytes)
        return try await Verified(clip.path)
    }
}

/// What ffprobe reads from a file, packet by packet.
struct Verified {
    /// Presentation times by track type, sorted.
    var times: [String: [Double]] = [:]
    var codecs: [String: String] = [:]
    var rotation: Int?
    var warnings = ""

    init(_ path: String) async throws {
        struct Report: Decodable {
            struct Packet: Decodable {
                let codecType: String?
                let ptsTime: String?
            }
            struct Stream: Decodable {
                struct Side: Decodable { let rotation: Int? }
                let codecType: String
                let codecName: String
                let sideDataList: [Side]?
            }
            let packets: [Packet]
            let streams: [Stream]
        }
        let result = try await ChildProcess.run(
            Command(
                "ffprobe",
                [
                    "-v", "warning", "-of", "json", "-show_entries",
                    "packet=codec_type,pts_time:stream=codec_type,codec_name:stream_side_data=rotation", path,
                ]),
            outputBytesMax: 10_000_000)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(Report.self, from: Data(result.output))
        for packet in report.packets {
            guard let type = packet.codecType, let time = packet.ptsTime.flatMap(Double.init) else { continue }
            times[type, default: []].append(time)
        }
        for type in times.keys { times[type]?.sort() }
        for stream in report.streams { codecs[stream.codecType] = stream.codecName }
        rotation = report.streams.lazy.flatMap { $0.sideDataList ?? [] }.compactMap(\.rotation).first
        warnings = result.errorText
    }

    var video: [Double] { times["video"] ?? [] }
    var audio: [Double] { times["audio"] ?? [] }
    /// How much later the sound begins than the picture.
    var audioLead: Double { (audio.first ?? 0) - (video.first ?? 0) }
}
