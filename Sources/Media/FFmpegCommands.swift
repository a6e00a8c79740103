import Processes

/// The command lines of ffmpeg. Why each flag is there: `docs/decisions/004-remux-and-chunks.md`.
package enum FFmpegCommands {
    /// A fragment ends at the next keyframe once it is half a second long, and in any case at 10 seconds or about
    /// 2 MiB: neither does an all-intra source make a fragment of each frame, nor does a source with one keyframe a
    /// minute fill the memory.
    private static let fragmentSecondsMin = 0.5
    private static let fragmentSecondsMax = 10.0
    package static let fragmentBytesTarget = 2 * 1024 * 1024
    /// Between keyframes of an encode.
    private static let groupSeconds = 2

    /// Writes the rendition to standard output as fragmented MP4.
    package static func rendition(of path: String, _ plan: RenditionPlan, tools: MediaTools) -> Command {
        var arguments = common
        // A copy that meets damage would go on without a word; an encode conceals it and may.
        if plan.isCopy { arguments.append("-xerror") }
        arguments += MediaTools.input(path)
        arguments += ["-map", "0:\(plan.videoIndex)"]
        if let audioIndex = plan.audioIndex { arguments += ["-map", "0:\(audioIndex)"] }
        arguments += ["-dn", "-sn", "-map_metadata", "-1", "-map_chapters", "-1"]
        arguments += video(plan.video) + audio(plan.audio)
        arguments += ["-threads", "\(tools.threads)", "-max_muxing_queue_size", "4096"]
        return Command(tools.ffmpeg, arguments + container)
    }

    /// Writes one frame as JPEG to standard output, at most 640 pixels wide, upright.
    package static func thumbnail(of path: String, _ info: MediaInfo, tools: MediaTools) -> Command {
        let second = (info.durationSeconds ?? 0) * 0.1
        let (width, height) = info.video.displaySize
        let wide = max(2, min(640, width) / 2 * 2)
        let high = max(2, Int((Double(wide) * Double(height) / Double(width) / 2).rounded()) * 2)
        return Command(
            tools.ffmpeg,
            common + ["-ss", String(second)] + MediaTools.input(path) + [
                "-map", "0:\(info.video.index)", "-frames:v", "1", "-vf",
                (["scale=\(wide):\(high)", "setsar=1"] + toneMap(info.video.dynamicRange)).joined(separator: ","),
                "-pix_fmt", "yuvj420p", "-threads", "1", "-map_metadata", "-1", "-c:v", "mjpeg", "-q:v", "4", "-f",
                "image2pipe", "pipe:1",
            ])
    }

    static let common = ["-nostdin", "-hide_banner", "-v", "error", "-nostats"]

    private static func video(_ video: RenditionPlan.Video) -> [String] {
        guard case .encode(let encoding) = video else { return ["-c:v", "copy"] }
        // A size of even sides may differ from the source's aspect by a pixel; square pixels are declared all the same.
        let filters =
            (encoding.isDeinterlaced ? ["yadif=deint=interlaced"] : [])
            + ["scale=\(encoding.width):\(encoding.height)", "setsar=1"] + toneMap(encoding.dynamicRange)
            + ["format=yuv420p"]
        return [
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-profile:v", "high",
            "-maxrate", "\(encoding.peakBitsPerSecond)", "-bufsize", "\(encoding.bufferBits)",
            "-vf", filters.joined(separator: ","),
            // Frames keep their own times, to a 90,000th of a second.
            "-fps_mode", "vfr", "-enc_time_base", "1:90000",
            // Closed groups; the expression counts time, so that it holds for any frame rate.
            "-force_key_frames", "expr:gte(t,n_forced*\(groupSeconds))", "-x264-params", "open-gop=0:scenecut=0",
            "-bf", "2",
        ]
    }

    /// Brings high dynamic range down to what every screen shows; as it is, it would look grey.
    static func toneMap(_ range: DynamicRange) -> [String] {
        let transfer: String
        switch range {
        case .standard: return []
        case .perceptualQuantizer: transfer = "smpte2084"
        case .hybridLogGamma: transfer = "arib-std-b67"
        }
        return [
            // Files often leave out all but the transfer; what is of high range is BT.2020.
            "zscale=transferin=\(transfer):primariesin=2020:matrixin=2020_ncl:transfer=linear:npl=100",
            "format=gbrpf32le", "zscale=primaries=709", "tonemap=tonemap=hable:desat=0",
            "zscale=transfer=709:matrix=709:range=limited",
        ]
    }

    private static func audio(_ audio: RenditionPlan.Audio) -> [String] {
        switch audio {
        case .none: ["-an"]
        case .copy: ["-c:a", "copy"]
        case .copyWithoutHeaders: ["-c:a", "copy", "-bsf:a", "aac_adtstoasc"]
        // Gaps and drift are filled by resampling, so that sound and picture stay together.
        case .encode:
            ["-c:a", "aac", "-b:a", "160k", "-ac", "2", "-ar", "48000", "-af", "aresample=async=1:first_pts=0"]
        }
    }

    private static var container: [String] {
        func microseconds(_ seconds: Double) -> String { String(Int(seconds * 1_000_000)) }
        return [
            "-f", "mp4", "-movflags", "+frag_keyframe+delay_moov+default_base_moof+skip_trailer",
            "-frag_duration", microseconds(fragmentSecondsMax), "-min_frag_duration", microseconds(fragmentSecondsMin),
            "-frag_size", "\(fragmentBytesTarget)", "pipe:1",
        ]
    }
}
