import Foundation
import Processes

/// Small pictures of a video at regular times, in one sprite, and the WebVTT that tells a player where each is. Pure.
package struct Storyboard: Sendable, Hashable {
    private static let columns = 10
    private static let tileCountMax = 100
    private static let intervalSecondsMin = 2.0
    private static let tileLongSide = 160

    /// Between pictures.
    package let intervalSeconds: Double
    package let tileCount: Int
    /// Of a tile, in pixels.
    package let tileWidth: Int
    package let tileHeight: Int
    private let durationSeconds: Double

    /// - Parameters:
    ///   - width: of the picture as it is shown.
    ///   - durationSeconds: of the video.
    package init(width: Int, height: Int, durationSeconds: Double) {
        let duration = durationSeconds.isFinite ? max(0.001, durationSeconds) : 0.001
        self.durationSeconds = duration
        intervalSeconds = max(Self.intervalSecondsMin, (duration / Double(Self.tileCountMax)).rounded(.up))
        tileCount = min(Self.tileCountMax, Int((duration / intervalSeconds).rounded(.up)))
        let scale = Double(Self.tileLongSide) / Double(max(1, width, height))
        func side(_ pixels: Int) -> Int { max(2, Int((Double(pixels) * scale / 2).rounded()) * 2) }
        tileWidth = side(width)
        tileHeight = side(height)
    }

    package var columns: Int { min(Self.columns, tileCount) }
    package var rows: Int { (tileCount + Self.columns - 1) / Self.columns }

    /// - Parameter sprite: its address, relative to the text's.
    package func webVTT(sprite: String) -> String {
        let cues = (0..<tileCount).map { index in
            let start = Double(index) * intervalSeconds
            let end = index + 1 < tileCount ? start + intervalSeconds : max(durationSeconds, start + 0.001)
            let place = "\(index % Self.columns * tileWidth),\(index / Self.columns * tileHeight)"
            return "\(Self.time(start)) --> \(Self.time(end))\n\(sprite)#xywh=\(place),\(tileWidth),\(tileHeight)\n"
        }
        return (["WEBVTT\n"] + cues).joined(separator: "\n")
    }

    /// Writes the sprite to standard output as JPEG. Only keyframes are decoded.
    func command(of path: String, _ info: MediaInfo, tools: MediaTools) -> Command {
        let filters =
            ["scale=\(tileWidth):\(tileHeight)", "setsar=1"] + FFmpegCommands.toneMap(info.video.dynamicRange)
            + ["fps=fps=1/\(intervalSeconds):start_time=0", "tile=\(columns)x\(rows)"]
        return Command(
            tools.ffmpeg,
            FFmpegCommands.common + ["-threads", "1", "-skip_frame", "nokey"] + MediaTools.input(path) + [
                "-map", "0:\(info.video.index)", "-frames:v", "1", "-vf", filters.joined(separator: ","), "-pix_fmt",
                "yuvj420p", "-threads", "1", "-map_metadata", "-1", "-c:v", "mjpeg", "-q:v", "5", "-f", "image2pipe",
                "pipe:1",
            ])
    }

    /// `hh:mm:ss.mmm`.
    private static func time(_ seconds: Double) -> String {
        let milliseconds = Int((seconds * 1000).rounded())
        return String(
            format: "%02d:%02d:%02d.%03d", milliseconds / 3_600_000, milliseconds / 60_000 % 60,
            milliseconds / 1000 % 60, milliseconds % 1000)
    }
}
