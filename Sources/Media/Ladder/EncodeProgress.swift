/// How far an ffmpeg run is, as it says itself (`-progress`).
package struct EncodeProgress: Codable, Hashable, Sendable {
    package var frame = 0
    /// Frames a second of wall-clock time.
    package var framesPerSecond = 0.0
    /// Seconds of video a second of wall-clock time.
    package var speed = 0.0
    /// 0…1, and never less than before.
    package var fraction = 0.0

    package init(frame: Int = 0, framesPerSecond: Double = 0, speed: Double = 0, fraction: Double = 0) {
        self.frame = frame
        self.framesPerSecond = framesPerSecond
        self.speed = speed
        self.fraction = fraction
    }
}

/// Reads ffmpeg's `key=value` lines in pieces of any length. Pure.
struct ProgressReader: Sendable {
    /// No line that ffmpeg writes is longer.
    private static let lineBytesMax = 4096

    private let frameCount: Int
    private var line: [UInt8] = []
    private var progress = EncodeProgress()

    /// - Parameter frameCount: that are to be made; 0 when it is not known.
    init(frameCount: Int) { self.frameCount = frameCount }

    /// - Returns: the newest report that these bytes completed.
    mutating func feed(_ bytes: [UInt8]) -> EncodeProgress? {
        var newest: EncodeProgress?
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                if line.count < Self.lineBytesMax { line.append(byte) }
                continue
            }
            if take(String(decoding: line, as: UTF8.self)) { newest = progress }
            line = []
        }
        return newest
    }

    /// - Returns: whether the line ends a report.
    private mutating func take(_ line: String) -> Bool {
        let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " } }
        guard parts.count == 2 else { return false }
        switch parts[0] {
        case "frame": progress.frame = max(progress.frame, Int(parts[1]) ?? 0)
        case "fps": progress.framesPerSecond = Double(parts[1]) ?? 0
        case "speed": progress.speed = Double(parts[1].filter { $0 != "x" }) ?? 0
        case "progress":
            if frameCount > 0 {
                progress.fraction = min(1, max(progress.fraction, Double(progress.frame) / Double(frameCount)))
            }
            return true
        default: break
        }
        return false
    }
}
