import Base
import HTTPClient
import HTTPTypes
import Jobs
import TranscoderAPI

extension Command {
    static let transcodeStatus = Command(
        name: "transcode status", summary: "Show how a video's transcoding goes.", operands: ["VIDEO"],
        options: Cluster.transcodeOptions
    ) { invocation in
        let id = try invocation.videoID()
        return try await Cluster.with(invocation) { cluster in
            let status = try await cluster.http.send(.get("\(cluster.transcodeURL)/transcode/status/\(id)"))
                .decoded(as: TranscodeStatus.self)
            var table = Table(["QUALITY", "STATUS", "PROGRESS", "SIZE", "MESSAGE"])
            for (label, quality) in status.qualities.sorted(by: {
                Int($0.key.dropLast()) ?? 0 > Int($1.key.dropLast()) ?? 0
            }) {
                table.add([
                    label, quality.status.rawValue, "\(quality.progress) %", quality.targetResolution ?? "",
                    quality.message ?? "",
                ])
            }
            Output.line("\(id): \(status.overall.rawValue)")
            Output.line(table.text)
            return 0
        }
    }

    static let transcodeStop = Command(
        name: "transcode stop", summary: "Do nothing more for a video for now.", operands: ["VIDEO"],
        options: Cluster.transcodeOptions
    ) { invocation in
        let id = try invocation.videoID()
        return try await Cluster.with(invocation) { cluster in
            try await cluster.http.send(ClientRequest(.post, "\(cluster.transcodeURL)/transcode/\(id)/stop"))
                .requireSuccess()
            Output.line("stopped \(id)")
            return 0
        }
    }

    static let transcodeResume = Command(
        name: "transcode resume", summary: "Go on with a video, or with all, and try again what has failed.",
        optionalOperands: ["VIDEO"], options: Cluster.transcodeOptions
    ) { invocation in
        let id = invocation.operands.isEmpty ? nil : try invocation.videoID()
        return try await Cluster.with(invocation) { cluster in
            let path = id.map { "/transcode/\($0)/resume" } ?? "/transcode/resume"
            let answer = try await cluster.http.send(ClientRequest(.post, cluster.transcodeURL + path))
                .decoded(as: TranscodeResumed.self)
            Output.line("resumed \(answer.resumedCount)")
            return 0
        }
    }

    static let transcodeExplain = Command(
        name: "transcode explain", summary: "Say why a video's transcoding is as it is.", operands: ["VIDEO"],
        options: Cluster.transcodeOptions
    ) { invocation in
        let id = try invocation.videoID()
        return try await Cluster.with(invocation) { cluster in
            let answer = try await cluster.http.send(.get("\(cluster.transcodeURL)/transcode/explain/\(id)"))
                .decoded(as: TranscodeExplanation.self)
            Output.line("\(id): \(answer.overall.rawValue)")
            for sentence in answer.explanation { Output.line(sentence) }
            return 0
        }
    }
}

extension Cluster {
    fileprivate static let transcodeOptions =
        places + [
            CommandOption(
                setting: "TRANSCODE_SERVICE_URL", "URL", "The transcoding service, where it is not at the default port."
            )
        ]
}
