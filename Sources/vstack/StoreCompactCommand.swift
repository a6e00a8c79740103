import Base
import ChunkStore
import StorageNode

extension Command {
    static let storeCompact = Command(
        name: "store compact", summary: "Give back the space of what was deleted or replaced.", operands: ["DIR"],
        options: [
            .json,
            CommandOption("live-percent", "N", "Rewrite superblocks with a smaller share of live bytes (default 50)."),
            CommandOption(setting: "MAX_SUPERBLOCK_SIZE", "BYTES", "Size of a superblock file (default 1 GiB)."),
            CommandOption(setting: "MAX_SUPERBLOCK_SIZE_MB", "MIB", "The same in MiB, where the bytes are not given."),
        ],
        discussion: """
            DIR is the DATA_DIR of a storage node that does not run; a node that runs compacts by itself. What counts of a
            superblock moves to the log's end, then the file goes. It may be stopped at any moment: nothing is lost, and
            the next time goes on. Exit code 1 when there is damage, which is left as it is: see 'vstack store check'.
            """
    ) { invocation in
        let configuration = try StorageNodeConfiguration(settings: invocation.settings)
        let compaction = try OfflineCompaction(
            directory: invocation.operands[0], superblockBytesMax: configuration.superblockBytesMax,
            livePercent: try invocation.integer("live-percent", default: 50, in: 1...99))
        if invocation.isSet("json") {
            try StoreOutput.json(compaction)
        } else {
            Output.line(
                "\(StoreOutput.count(compaction.superblocksRemoved, "superblock")) removed, "
                    + "\(ByteCount.text(compaction.movedBytes)) moved, \(ByteCount.text(compaction.freedBytes)) given back"
            )
            Output.line(
                "\(ByteCount.text(compaction.liveBytes)) live, \(ByteCount.text(compaction.deadBytes)) dead are left")
            if compaction.corruptRecords > 0 {
                Output.line(
                    "\(StoreOutput.count(compaction.corruptRecords, "damaged place")), left as it is: vstack store check"
                )
            }
        }
        return compaction.corruptRecords == 0 ? 0 : 1
    }
}
