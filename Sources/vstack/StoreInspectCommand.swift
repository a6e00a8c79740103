import Base
import ChunkPaxos
import ChunkStore

extension Command {
    static let storeInspect = Command(
        name: "store inspect", summary: "Show the superblocks and what is in them, or one chunk's records.",
        operands: ["DIR"], optionalOperands: ["CHUNK_ID"], options: [.json],
        discussion: """
            DIR is a storage node's DATA_DIR. Only the heads of records are read, and nothing is changed; a node may be
            running on it. LIVE are the bytes of records that count, DEAD those of records that were replaced or deleted.
            With a CHUNK_ID: every record about that chunk, in the order in which they were written, its bytes compared
            with their checksums. Exit code 1 when something is damaged, or the chunk is not there.
            """
    ) { invocation in
        let inspector = try StoreInspector(directory: invocation.operands[0], use: .beside)
        guard invocation.operands.count > 1 else {
            let report = try inspector.inspect()
            try show(report, asJSON: invocation.isSet("json"))
            return report.isWhole ? 0 : 1
        }
        let text = invocation.operands[1]
        guard let id = ChunkID(text) else {
            throw UsageError("'\(text.prefix(80))' is no chunk id: 1 to 64 letters, digits, '-' and '_'")
        }
        let records = try inspector.records(of: id)
        try show(records, of: id, asJSON: invocation.isSet("json"))
        let isReadable = records.contains { $0.isCurrentChunk }
        return isReadable && records.allSatisfy(\.isWhole) ? 0 : 1
    }

    private static func show(_ report: StoreReport, asJSON: Bool) throws {
        if asJSON { return try StoreOutput.json(report) }
        var table = Table([
            "SUPERBLOCK", "SIZE", "LIVE", "DEAD", "DAMAGED", "CHUNKS", "TOMBSTONES", "STATES", "VOID",
        ])
        for block in report.superblocks {
            table.add([
                "\(block.number)", ByteCount.text(block.sizeBytes), ByteCount.text(block.liveBytes),
                ByteCount.text(block.deadBytes), ByteCount.text(block.damagedBytes), "\(block.chunkRecords)",
                "\(block.tombstoneRecords)", "\(block.acceptorRecords)", "\(block.voidRecords)",
            ])
        }
        Output.line("store \(report.store)")
        Output.line(table.text)
        StoreOutput.damage(report)
        StoreOutput.notes(report)
        let finished =
            report.lastScrubFinishedAt.map { "last verified as a whole at \($0)" } ?? "never verified as a whole"
        Output.line("\(StoreOutput.verdict(report)); \(finished)")
    }

    private static func show(_ records: [RecordReport], of id: ChunkID, asJSON: Bool) throws {
        if asJSON { return try StoreOutput.json(records) }
        guard !records.isEmpty else { return Output.line("there is no record of chunk '\(id)'") }
        var table = Table([
            "SUPERBLOCK", "OFFSET", "KIND", "SEQUENCE", "STORED AT", "SIZE", "SHA-256", "PROMISED", "ACCEPTED", "STATE",
        ])
        for record in records {
            table.add([
                "\(record.superblock)", "\(record.offset)", record.kind, "\(record.sequence)", "\(record.storedAt)",
                "\(record.sizeBytes)", record.kind == "chunk" ? record.checksum.hex : "-",
                record.promisedBallot?.description ?? "-", record.acceptedBallot?.description ?? "-", state(record),
            ])
        }
        Output.line(table.text)
    }

    private static func state(_ record: RecordReport) -> String {
        let roles = [record.isCurrentChunk ? "chunk" : nil, record.isCurrentState ? "acceptor" : nil].compactMap { $0 }
        let role = roles.isEmpty ? "past" : "current " + roles.joined(separator: " and ")
        return record.isWhole ? role : role + ", DAMAGED"
    }
}
