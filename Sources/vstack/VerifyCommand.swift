import Base
import MetadataAPI
import SmartClient

extension Command {
    static let verify = Command(
        name: "verify", summary: "Read every copy of every chunk and compare it with its checksum.",
        options: Cluster.options,
        discussion: """
            Exit code 0 when every chunk of every video can be read and is intact, 1 when one cannot. Chunks with fewer
            copies than they should have, as while a node is down, are named but are no failure.
            """
    ) { invocation in
        try await Cluster.with(invocation) { cluster in
            let progress = Progress()
            let nodes = try await cluster.metadata.nodes().count
            let verifier = VideoVerifier(
                catalog: cluster.metadata, transport: StorageNodeTransport(http: cluster.http),
                copiesWanted: min(3, max(nodes, 1)))
            let report = try await verifier.verifyAll { state in
                let fraction = state.chunksTotal == 0 ? 1 : Double(state.chunks) / Double(state.chunksTotal)
                progress.show("video \(state.videoIndex + 1) of \(state.videoCount)", fraction)
            }
            progress.finish()
            for video in report.videos { show(video) }
            let chunks = report.videos.reduce(0) { $0 + $1.chunkCount }
            let bytes = report.videos.reduce(0) { $0 + $1.intactBytes }
            let verdict =
                switch report.verdict {
                case .intact: "all intact"
                case .underReplicated: "all readable, some with fewer copies than they should have"
                case .lost: "NOT all readable"
                }
            Output.line(
                "\(report.videos.count) videos, \(chunks) chunks, \(ByteCount.text(bytes)) in copies: \(verdict)")
            return report.verdict == .lost ? 1 : 0
        }
    }

    private static func show(_ report: VideoReport) {
        if let problem = report.problem {
            Output.line("\(report.video.videoId) cannot be verified: \(problem)")
        }
        for finding in report.findings {
            let copies = finding.copies.map(words).joined(separator: ", ")
            Output.line(
                "\(finding.chunk): \(finding.intactCopies) of \(finding.copiesWanted) copies intact (\(copies))")
        }
    }

    private static func words(for copy: CopyReport) -> String {
        switch copy.state {
        case .intact: "\(copy.replica) intact"
        case .missing: "\(copy.replica) missing"
        case .corrupt(let reason): "\(copy.replica) corrupt: \(reason)"
        // What the client says begins with the address itself.
        case .unreachable(let reason): reason.hasPrefix("\(copy.replica)") ? reason : "\(copy.replica): \(reason)"
        }
    }
}
