import Base
import Processes

/// Where ffmpeg and ffprobe are, and what every call of them must say: the files come from strangers.
package struct MediaTools: Sendable {
    package var ffmpeg: String
    package var ffprobe: String
    /// Threads of one ffmpeg run; 0 lets it use every core.
    package var threads: Int
    /// Of ffmpeg where nobody waits for it: 0 to 19.
    package var niceness: Int

    package init(ffmpeg: String = "ffmpeg", ffprobe: String = "ffprobe", threads: Int = 0, niceness: Int = 0) {
        self.ffmpeg = ffmpeg
        self.ffprobe = ffprobe
        self.threads = threads
        self.niceness = niceness
    }

    /// ffmpeg for work that nobody waits for.
    func background(_ arguments: [String]) -> Command { Command(ffmpeg, arguments, niceness: niceness) }

    /// Demuxers of files that carry their media within themselves. A playlist or script (hls, dash, concat, sdp …)
    /// names other files, which it would make us read and publish, so none is here.
    package static let demuxers = [
        "mov", "mp4", "avi", "matroska", "webm", "flv", "live_flv", "h264", "hevc", "m4v", "mpegts", "mpeg",
        "mpegvideo", "asf", "ogg", "dv", "mxf", "ivf",
    ]

    /// The options that confine ffmpeg and ffprobe to the one file, and the file: `-i file:…`, so that no name can
    /// mean a protocol.
    static func input(_ path: String) -> [String] {
        [
            "-protocol_whitelist", "file,pipe", "-format_whitelist", demuxers.joined(separator: ","), "-i",
            "file:\(path)",
        ]
    }
}
