import Base

/// Words for ffmpeg that a client gives. What is not known to be harmless is refused: an option that names a file, an
/// address, a script or a filter that opens one would let whoever may convert a file read and write others.
package struct CustomArguments: Sendable, Hashable {
    package static let countMax = 64

    package let words: [String]

    /// Options without a value.
    private static let switches: Set<String> = ["-an", "-vn", "-sn", "-dn", "-shortest"]
    /// Options whose value is a plain word or number. What may follow is the track, as in `-c:v` or `-b:a:1`.
    private static let plain: Set<String> = [
        "-c", "-codec", "-b", "-q", "-crf", "-qp", "-preset", "-tune", "-profile", "-level", "-pix_fmt", "-r", "-g",
        "-bf",
        "-refs", "-maxrate", "-minrate", "-bufsize", "-ac", "-ar", "-channel_layout", "-sample_fmt", "-s", "-aspect",
        "-t",
        "-ss", "-to", "-frames", "-movflags", "-compression_level", "-vbr", "-color_primaries", "-color_trc",
        "-colorspace", "-color_range", "-disposition", "-keyint_min", "-sc_threshold", "-fps_mode", "-map_metadata",
        "-map_chapters", "-map", "-tag", "-application", "-cutoff",
    ]
    /// Options whose value is a chain of filters.
    private static let chains: Set<String> = ["-vf", "-af", "-filter"]
    private static let filters: Set<String> = [
        "scale", "crop", "pad", "fps", "format", "setsar", "setdar", "transpose", "hflip", "vflip", "rotate", "yadif",
        "bwdif", "w3fdif", "hqdn3d", "nlmeans", "atadenoise", "unsharp", "eq", "hue", "colorbalance", "deband", "fade",
        "tonemap", "zscale", "colorspace", "setpts", "trim", "null", "volume", "aresample", "atempo", "loudnorm",
        "dynaudnorm", "acompressor", "afade", "aformat", "asetpts", "atrim", "highpass", "lowpass", "equalizer", "pan",
        "anull", "alimiter",
    ]

    /// - Throws: ``Failure`` (400) that names the word.
    package init(_ words: [String]) throws(Failure) {
        guard (1...Self.countMax).contains(words.count) else {
            throw Failure(.invalidArgument, "'custom_arguments' must have 1 to \(Self.countMax) words")
        }
        var rest = words[...]
        while let option = rest.popFirst() {
            if Self.switches.contains(option) { continue }
            let name = String(option.prefix { $0 != ":" })
            guard Self.plain.contains(name) || Self.chains.contains(name), Self.isPlain(option) else {
                throw Self.refusal(option, "is none of the options that are allowed")
            }
            guard let value = rest.popFirst() else { throw Self.refusal(option, "needs a value after it") }
            guard Self.chains.contains(name) ? Self.isChain(value) : Self.isPlain(value) else {
                throw Self.refusal(value, "is not allowed as the value of \(name)")
            }
        }
        self.words = words
    }

    private static func refusal(_ word: String, _ reason: String) -> Failure {
        Failure(.invalidArgument, "'custom_arguments': '\(word.prefix(80))' \(reason)")
    }

    /// No slash and no backslash, so that it names no file in another folder; no colon before slashes, so that it names
    /// no address; none of the signs that quote.
    private static func isPlain(_ word: String) -> Bool {
        (1...80).contains(word.utf8.count) && !word.contains("..")
            && word.utf8.allSatisfy { isWordByte($0) || [UInt8(ascii: ":"), UInt8(ascii: "?")].contains($0) }
    }

    private static func isChain(_ text: String) -> Bool {
        guard (1...500).contains(text.utf8.count) else { return false }
        let signs = Set("=:,/*()|<>".utf8)
        guard text.utf8.allSatisfy({ isWordByte($0) || signs.contains($0) }) else { return false }
        // Commas within parentheses stand between arguments of an expression.
        var depth = 0
        var chain: [String] = [""]
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            guard depth >= 0 else { return false }
            if character == ",", depth == 0 { chain.append("") } else { chain[chain.count - 1].append(character) }
        }
        return depth == 0 && chain.allSatisfy(isFilter)
    }

    private static func isFilter(_ text: String) -> Bool {
        let name = String(text.prefix { $0 != "=" })
        guard filters.contains(name) else { return false }
        // A slash before an option's name has its value read from a file; before a value it begins a path.
        return !["=/", ":/", "//", "|/"].contains { text.contains($0) }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_-+.".utf8.contains(byte)
        }
    }
}
