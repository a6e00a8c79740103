import Processes

/// Decodes a stream that was made, from its first picture to its last.
package struct DecodeCheck: Sendable {
    private let tools: MediaTools

    package init(_ tools: MediaTools) { self.tools = tools }

    /// - Throws: ``SegmentCheck/Problem`` when the stream does not decode without an error, to as many pictures as it
    ///   has samples; ``MediaError`` of code `tool`.
    package func check(_ stream: EncodedStream) async throws {
        guard !stream.segments.isEmpty else { return }
        let isSound = stream.width == 0
        // The deblocking filter costs the most and cannot fail.
        let arguments =
            ["-nostdin", "-hide_banner", "-v", "error", "-nostats", "-progress", "pipe:1", "-xerror"]
            + ["-threads", "\(tools.threads)", "-skip_loop_filter", "all"] + MediaTools.input(stream.path)
            + ["-map", isSound ? "0:a:0" : "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-"]
        let decoded: (status: ExitStatus, frame: Int, words: String)
        do {
            decoded = try await ChildProcess.withChild(tools.background(arguments)) { child in
                var reader = ProgressReader(frameCount: 0)
                var frame = 0
                while let piece = try await child.nextOutput() { frame = reader.feed(piece)?.frame ?? frame }
                return (await child.exitStatus(), frame, child.errorText)
            }
        } catch let error as ProcessError {
            throw MediaError(.tool, "ffmpeg could not be run: \(error.message)")
        }
        guard decoded.status.isSuccess, decoded.words.isEmpty else {
            throw SegmentCheck.Problem(reason: "the stream does not decode: \(Self.lastLine(decoded.words))")
        }
        guard isSound || decoded.frame == stream.sampleCount else {
            throw SegmentCheck.Problem(
                reason: "\(decoded.frame) pictures could be decoded of the stream's \(stream.sampleCount)")
        }
    }

    private static func lastLine(_ words: String) -> String {
        String((words.split(whereSeparator: \.isNewline).last ?? "ffmpeg gave no reason").prefix(200))
    }
}

extension EncodedUnit {
    /// All that can be checked of a unit before it is handed over: every box of every segment, and that it decodes.
    /// - Throws: ``SegmentCheck/Problem``, ``MediaError``, or ``Failure`` of the scratch disk.
    package func verify(_ unit: WorkUnit, of ladder: LadderPlan, tools: MediaTools) async throws {
        for stream in streams {
            guard let rung = ladder.rungs.first(where: { $0.label == stream.label }) else { continue }
            try await stream.verify(
                SegmentCheck.Expectation(rung: rung, unit: unit, pictureCount: pictureCount), tools: tools)
        }
    }
}

extension EncodedStream {
    /// - Throws: as ``EncodedUnit/verify(_:of:tools:)``; the problem names the stream.
    package func verify(_ expectation: SegmentCheck.Expectation, tools: MediaTools) async throws {
        do {
            var check = try SegmentCheck(initialization: initialization, expectation)
            for segment in segments { try check.check(segment, bytes: try await bytes(of: segment)) }
            try check.finish()
            try await DecodeCheck(tools).check(self)
        } catch let problem as SegmentCheck.Problem {
            throw SegmentCheck.Problem(reason: "\(label): \(problem.reason)")
        }
    }
}
