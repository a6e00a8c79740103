import Base
import HTTPClient
import Metadata

extension Command {
    static let metadataRebuild = Command(
        name: "metadata rebuild", summary: "Make the catalog anew from the storage nodes alone.",
        options: [
            CommandOption(setting: "DB_PATH", "FILE", "The catalog (default ./data/metadata/metadata.db)."),
            CommandOption("nodes", "URLS", "Every storage node there is, parted by commas; see below."),
            CommandOption("replace", nil, "Put it in the place of a catalog that is there, and keep that one."),
            CommandOption("allow-missing", nil, "Put it there although something is missing in it."),
            CommandOption("json", nil, "Print the report as JSON."),
        ] + Cluster.places,
        discussion: """
            Stop the metadata service first and leave the storage nodes running. Without --nodes, those that
            STORAGE_NODES names are asked, or else the five of 'vstack up' on --host with --port-offset.
            A majority of the nodes of each video must answer. Exit code 1 when something is missing: it is named, and
            nothing is put in place unless --allow-missing says so.
            """
    ) { invocation in
        let progress = Progress()
        let http = HTTPClient()
        defer { http.shutdown() }
        let rebuild = CatalogRebuild(nodes: try nodeURLs(invocation), http: http) { step in
            switch step {
            case .reading(let entries, let total):
                progress.show("reading the nodes", total == 0 ? 1 : Double(entries) / Double(total))
            case .videos: break
            }
        }
        let path = invocation.settings.text("DB_PATH", default: "./data/metadata/metadata.db")
        let report = try await rebuild.run(
            at: path,
            CatalogRebuild.Terms(
                isReplacing: invocation.isSet("replace"), allowsMissing: invocation.isSet("allow-missing")))
        progress.finish()
        if invocation.isSet("json") {
            Output.line(String(decoding: try JSON.encode(report), as: UTF8.self))
        } else {
            show(report)
        }
        return report.isWhole ? 0 : 1
    }

    private static func nodeURLs(_ invocation: Invocation) throws -> [String] {
        let settings = invocation.flag("nodes").map { invocation.settings.setting("STORAGE_NODES", to: $0) }
        let named = (settings ?? invocation.settings).list("STORAGE_NODES")
        guard named.isEmpty else { return named }
        guard invocation.flag("nodes") == nil else {
            throw UsageError("--nodes is empty: name the storage nodes' URLs")
        }
        return try Cluster.storageURLs(invocation)
    }

    private static func show(_ report: RebuildReport) {
        var nodes = Table(["NODE", "URL", "ENTRIES", "UNREADABLE", ""])
        for node in report.nodes {
            nodes.add([
                node.nodeId?.description ?? "-", node.nodeUrl, "\(node.entryCount)", "\(node.unreadableCount)",
                node.error ?? "",
            ])
        }
        Output.line(nodes.text)
        for video in report.incomplete {
            let title = video.title.map { " '\($0)'" } ?? ""
            let fate = video.isEntered ? "is incomplete" : "cannot be restored"
            Output.line(
                Table.printable("video \(video.videoId)\(title) \(fate): \(video.reasons.joined(separator: "; "))"))
        }
        if report.incompleteCount > report.incomplete.count {
            Output.line("… and \(report.incompleteCount - report.incomplete.count) more videos")
        }
        for line in report.nonsense { Output.line(Table.printable(line)) }
        var totals = Table(["VIDEOS", "CHUNKS", "COPIES", "DELETED", "FINISHED", "NEVER COMMITTED", "INCOMPLETE"])
        totals.add([
            "\(report.videoCount)", "\(report.chunkCount)", "\(report.replicaCount)", "\(report.deletedCount)",
            "\(report.finishedCount)", "\(report.uncommittedCount)", "\(report.incompleteCount)",
        ])
        Output.line(totals.text)
        if let old = report.replacedPath { Output.line("The catalog that was there is '\(old)' now.") }
        Output.line(verdict(report))
    }

    private static func verdict(_ report: RebuildReport) -> String {
        let seconds = (report.seconds * 10).rounded() / 10
        switch (report.isInstalled, report.isWhole) {
        case (true, true): return "'\(report.databasePath)' is whole, made in \(seconds) s. Start the metadata service."
        case (true, false): return "'\(report.databasePath)' holds what could be restored; the rest is named above."
        case (false, _):
            return "Nothing was put in place: bring the missing nodes back and try again, or take what there is with "
                + "--allow-missing."
        }
    }
}
