import Base
import HTTPClient
import HTTPTypes
import Media

extension Command {
    static let convert = Command(
        name: "convert", summary: "Convert files of the media folder on the leader's followers.", operands: ["FILE"],
        isVariadic: true,
        options: [
            CommandOption("output-folder", "DIR", "Where the results go (default beside their sources)."),
            CommandOption("container", "NAME", "mp4, mkv, webm, avi or mov (default mp4)."),
            CommandOption("video-codec", "NAME", "libx264, libx265, libsvtav1 or copy."),
            CommandOption("audio-codec", "NAME", "aac, libopus, ac3, flac or copy."),
            CommandOption("crf", "N", "Quality of the picture; lower is better."),
            CommandOption("preset", "NAME", "How much effort the encoder makes, such as fast or slow."),
            CommandOption("height", "PIXELS", "Height of the picture; the aspect ratio is kept."),
        ] + Cluster.places + [
            CommandOption(setting: "LEADER_URL", "URL", "The leader, where it is not at the default port.")
        ],
        discussion: """
            FILE is a path below the leader's media folder (FRAME_SHIFT_HOME; 'vstack up' has it in its data folder).
            Shows how far it is, and prints each result's path. Exit code 1 when one fails, with the reason.
            """
    ) { invocation in
        let options = try conversion(invocation)
        return try await Cluster.with(invocation) { cluster in
            let order = ConversionOrder(
                files: invocation.operands, outputFolder: invocation.flag("output-folder"), config: options)
            let batch = try await cluster.http.send(.json(.post, "\(cluster.leaderURL)/api/jobs/start", order))
                .decoded(as: ConversionBatch.self)
            return report(try await follow(batch.batchId, on: cluster))
        }
    }

    private static func conversion(_ invocation: Invocation) throws -> ConversionOptions {
        var options = ConversionOptions()
        options.container = try word("container", invocation)
        options.videoCodec = try word("video-codec", invocation)
        options.audioCodec = try word("audio-codec", invocation)
        options.preset = invocation.flag("preset")
        options.crf = try number("crf", invocation)
        options.height = try number("height", invocation)
        try options.check()
        return options
    }

    private static func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ invocation: Invocation)
        throws(UsageError) -> Word? where Word.RawValue == String
    {
        guard let text = invocation.flag(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw UsageError(
                "--\(name) is '\(text)': it must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    private static func number(_ name: String, _ invocation: Invocation) throws(UsageError) -> Int? {
        guard let text = invocation.flag(name) else { return nil }
        guard let number = Int(text) else { throw UsageError("--\(name) is '\(text)': it must be a whole number") }
        return number
    }

    private static func follow(_ id: String, on cluster: Cluster) async throws -> ConversionBatch {
        let progress = Progress()
        defer { progress.finish() }
        while true {
            let batch = try await cluster.http.send(.get("\(cluster.leaderURL)/api/jobs/batch/\(id)"))
                .decoded(as: ConversionBatch.self)
            let over = batch.jobs.count { $0.isOver }
            progress.show("converting", batch.progress / 100, "\(over) of \(batch.jobs.count)")
            if batch.isOver { return batch }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    private static func report(_ batch: ConversionBatch) -> Int32 {
        for job in batch.jobs {
            let isDone = job.status == "completed"
            Output.line(
                isDone ? job.outputFile : "\(job.inputFile): \(job.status): \(job.errorMessage ?? "no reason is known")"
            )
        }
        return batch.jobs.allSatisfy { $0.status == "completed" } ? 0 : 1
    }
}

private struct ConversionOrder: Encodable {
    let files: [String]
    let outputFolder: String?
    let config: ConversionOptions
}

private struct ConversionBatch: Decodable {
    struct Job: Decodable {
        let inputFile: String
        let outputFile: String
        let status: String
        let errorMessage: String?

        var isOver: Bool { status != "pending" && status != "processing" }
    }

    let batchId: String
    let jobs: [Job]
    let progress: Double
    let isOver: Bool
}
