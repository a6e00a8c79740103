import Base
import Processes
import Testing

@testable import Media

@Suite struct ConversionOptionsTests {
    private func options(_ json: String) throws -> ConversionOptions {
        try JSON.decode(ConversionOptions.self, from: Array(json.utf8))
    }

    @Test(
        "options that fit together are taken",
        arguments: [
            "{}", #"{"container":"webm"}"#, #"{"video_codec":"libx265","bit_depth":10,"preset":"slow","crf":28}"#,
            #"{"video_codec":"copy","audio_codec":"copy","container":"mkv"}"#,
            #"{"rate_control":"cbr","video_bitrate_kbps":2000,"width":1280,"frame_rate":25}"#,
            #"{"custom_arguments":["-c:v","libx264","-vf","scale=640:-2,fps=25","-an"],"container":"mkv"}"#,
            #"{"custom_arguments":["-vf","crop=in_w/2:in_h/2:0:0,pad=ceil(iw/2)*2:ceil(ih/2)*2"]}"#,
        ])
    func fitting(json: String) throws {
        #expect(throws: Never.self) { try options(json).check() }
    }

    @Test(
        "options that do not fit together are refused",
        arguments: [
            #"{"container":"webm","video_codec":"libx264"}"#, #"{"container":"mp4","audio_codec":"flac"}"#,
            #"{"crf":99}"#, #"{"rate_control":"vbr"}"#, #"{"crf":20,"video_bitrate_kbps":1000}"#,
            #"{"video_codec":"copy","width":640}"#, #"{"preset":"rm -rf"}"#, #"{"width":641}"#, #"{"bit_depth":9}"#,
            #"{"frame_rate":0}"#, #"{"video_codec":"h264_nvenc"}"#, #"{"audio_codec":"copy","audio_bitrate_kbps":96}"#,
            #"{"custom_arguments":["-an"],"crf":20}"#, #"{"custom_arguments":[]}"#,
        ])
    func misfit(json: String) {
        #expect(throws: Failure.self) { try options(json).check() }
    }

    @Test(
        "custom arguments that read or write elsewhere are refused",
        arguments: [
            ["-i", "/etc/passwd"], ["-c:v", "libx264", "/tmp/out.mp4"], ["-c:v", "libx264", "out.mp4"],
            ["-vf", "movie=/etc/passwd"], ["-vf", "scale=640:-2,movie=a.mp4"],
            ["-vf", "drawtext=textfile=/etc/passwd"],
            ["-vf", "subtitles=a.srt"], ["-filter_complex", "amovie=x"], ["-filter_script", "x"],
            ["-vf", "scale=/w=/etc/passwd"], ["-vf", "lut3d=file=x"], ["-f", "tee"], ["-passlogfile", "x"], ["-y"],
            ["-x264-params", "stats=/tmp/x"], ["-vstats_file", "x"], ["-c:v"], ["-metadata", "a=b"],
            ["-dump_attachment:t", ""],
            ["-map", "0:v", "-attach", "/etc/passwd"], ["-b:v", "http://example.com/"],
            ["-vf", "scale=640:-2;movie=x"],
            ["-vf", "fps='25'"], ["-progress", "http://a"], ["-vf", "zscale(,movie=a"],
            ["-af", "volume=1,asendcmd=f=x"],
        ])
    func hostile(words: [String]) {
        #expect(throws: Failure.self) { try CustomArguments(words) }
    }

    @Test("the command says what was asked for, and confines its input")
    func command() throws {
        let wanted = try options(
            #"{"video_codec":"libx265","crf":30,"preset":"fast","bit_depth":10,"height":720,"audio_codec":"ac3"}"#)
        let words = FileConversion(wanted, tools: MediaTools(threads: 2)).command("/m/a.mov", to: "/m/b.part").arguments
        let text = words.joined(separator: " ")
        #expect(text.contains("-protocol_whitelist file,pipe") && text.contains("-i file:/m/a.mov"))
        #expect(text.contains("-c:v libx265 -preset fast -crf 30 -vf scale=-2:720 -pix_fmt yuv420p10le -tag:v hvc1"))
        #expect(text.contains("-c:a ac3") && text.hasSuffix("-movflags +faststart -f mp4 file:/m/b.part"))
    }
}
