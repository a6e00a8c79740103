import Base
import ChunkStore

extension Command {
    static let storeCheck = Command(
        name: "store check", summary: "Compare every record with its checksums, and list what is damaged.",
        operands: ["DIR"], options: [.json],
        discussion: """
            DIR is the DATA_DIR of a storage node that does not run. Every byte is read from the disk itself; nothing is
            changed. Exit code 0 when all is intact, 1 when something is not. A chunk that is damaged heals when its bytes
            are stored on the node again.
            """
    ) { invocation in
        let inspector = try StoreInspector(directory: invocation.operands[0], use: .alone)
        let progress = Progress()
        let report = try inspector.check { done, total in
            let fraction = total == 0 ? 1 : Double(done) / Double(total)
            progress.show("checking", fraction, "\(ByteCount.text(done)) of \(ByteCount.text(total))")
        }
        progress.finish()
        if invocation.isSet("json") {
            try StoreOutput.json(report)
        } else {
            StoreOutput.damage(report)
            StoreOutput.notes(report)
            Output.line(StoreOutput.verdict(report))
        }
        return report.isWhole ? 0 : 1
    }
}
