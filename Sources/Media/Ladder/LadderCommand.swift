import Processes

/// The command line that makes all rungs of a unit from one decode. Why it is so:
/// `docs/decisions/013-ladder-and-work-units.md`.
struct LadderCommand {
    let ladder: LadderPlan
    let rungs: [LadderRung]
    let timescale: UInt32
    let cut: SourcePictures.Cut
    let tools: MediaTools

    /// - Parameters:
    ///   - source: file with the source rendition's initialization and some of its segments.
    ///   - outputs: file for each rung.
    func command(source: String, outputs: [String]) -> Command {
        var arguments = ["-nostdin", "-hide_banner", "-v", "error", "-nostats", "-y", "-progress", "pipe:1"]
        arguments += ["-stats_period", "0.5", "-filter_complex_threads", "\(max(1, tools.threads))"]
        // Times as the source says them, not from the first that happens to be in the file.
        arguments += ["-copyts", "-threads", "\(tools.threads)"] + MediaTools.input(source)
        arguments += ["-filter_complex", graph]
        for (index, (rung, output)) in zip(rungs, outputs).enumerated() {
            arguments += ["-map", "[r\(index)]", "-map_metadata", "-1", "-map_chapters", "-1"]
            arguments += encoding(rung) + Self.container + ["file:\(output)"]
        }
        return tools.background(arguments)
    }

    /// Every rung is scaled from the source's own picture.
    private var graph: String {
        let trim = "trim=start_pts=\(cut.encoded.lowerBound):end_pts=\(cut.encoded.upperBound + 1)"
        // De-interlacing gives frames as many as there were, in ticks of half the length. Nothing happens to frames
        // that do not say that they are interlaced.
        let head = "[0:v:0]yadif=mode=send_frame:deint=interlaced,settb=1/\(timescale),\(trim),split=\(rungs.count)"
        let branches = rungs.indices.map { "[s\($0)]" }.joined()
        let scales = rungs.enumerated().map { index, rung in
            "[s\(index)]scale=\(rung.width):\(rung.height),setsar=1,format=yuv420p[r\(index)]"
        }
        return ([head + branches] + scales).joined(separator: ";")
    }

    private func encoding(_ rung: LadderRung) -> [String] {
        // What a stream's header says of its rate must not depend on which pictures are in the unit.
        let rate = ladder.frameRate.map { ":fps=\(Int(($0 * 1000).rounded()))/1000" } ?? ":fps=30/1"
        return [
            "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-b:v", "\(rung.videoBitsPerSecond)",
            "-maxrate", "\(rung.peakBitsPerSecond)", "-bufsize", "\(rung.bufferBits)",
            "-fps_mode", "vfr", "-enc_time_base", "1:\(timescale)", "-video_track_timescale", "\(timescale)",
            "-force_key_frames", keyframes,
            "-x264-params", "open-gop=0:scenecut=0:keyint=infinite\(rate)", "-threads", "\(tools.threads)",
        ]
    }

    /// Times, since an expression would count from the first picture that can be decoded. Rounded down to ffmpeg's
    /// microsecond, so that each picture is at or after its time.
    private var keyframes: String {
        cut.keyframes.map { picture in
            let (second, rest) = picture.quotientAndRemainder(dividingBy: Int64(timescale))
            let digits = String(rest * 1_000_000 / Int64(timescale))
            return "\(second)." + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        }.joined(separator: ",")
    }

    /// A fragment a group of pictures; times on the video's timeline, of which the file is a part.
    private static let container = [
        "-f", "mp4", "-movflags", "+frag_keyframe+delay_moov+default_base_moof+skip_trailer+frag_discont",
        "-write_btrt", "0",
    ]
}
