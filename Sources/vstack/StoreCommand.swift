import Base
import ChunkStore

extension Command {
    /// What can be done with the folder of a storage node that does not run.
    static let store = Command(
        name: "store", summary: "Look into a stopped storage node's folder, check it, or compact it.",
        discussion: """
            It needs a word behind it: 'vstack store inspect', 'vstack store check' or 'vstack store compact'. 'vstack help
            store inspect' and so on say what each takes.
            """
    ) { _ in
        throw UsageError("'vstack store' needs one of these behind it: inspect, check, compact")
    }
}

extension CommandOption {
    static let json = CommandOption("json", nil, "Print JSON in place of tables.")
}

/// How a survey of a store is shown.
enum StoreOutput {
    static func json(_ value: some Encodable) throws {
        Output.line(String(decoding: try JSON.encode(value), as: UTF8.self))
    }

    static func damage(_ report: StoreReport) {
        guard !report.damage.isEmpty else { return }
        var table = Table(["DAMAGE", "SUPERBLOCK", "OFFSET", "BYTES", "CHUNK", "WHAT"])
        for damage in report.damage {
            table.add([
                damage.kind.rawValue, "\(damage.superblock)", "\(damage.offset)", "\(damage.sizeBytes)",
                damage.chunk?.description ?? "-", damage.detail,
            ])
        }
        Output.line(table.text)
    }

    /// What a survey comes to, in a line.
    static func verdict(_ report: StoreReport) -> String {
        let size =
            "\(count(report.superblocks.count, "superblock")), \(count(report.recordCount, "record")), "
            + "\(count(report.chunkCount, "chunk")) of \(ByteCount.text(report.chunkBytes))"
        guard !report.isWhole else { return "\(size): \(report.isVerified ? "all intact" : "no damage seen")" }
        let lost = report.damage.count { $0.isCurrent }
        return "\(size): \(count(report.damage.count, "damaged place")), \(lost) of them with something that counted"
    }

    static func notes(_ report: StoreReport) {
        if report.isInUse { Output.line("A node has this folder open: what it is writing may look unfinished.") }
        if report.unfinishedBytes > 0 {
            Output.line(
                "\(ByteCount.text(report.unfinishedBytes)) of writes that were cut off; the node's next start clears them."
            )
        }
    }

    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
