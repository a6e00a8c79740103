import Base
import Catalog
import ChunkPaxos
import Placement

/// Nodes and the placement groups they form.
enum NodeTable {
    static func register(_ node: Node, _ connection: Connection) throws(CatalogError) {
        try connection.run(
            """
            INSERT INTO nodes (id, url, version, last_heartbeat, disk_usage_percent, chunk_count, corrupt_chunks,
                capacity_bytes, stored_bytes, zone)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            ON CONFLICT (id) DO UPDATE SET url = ?2, version = ?3, last_heartbeat = ?4, disk_usage_percent = ?5,
                chunk_count = ?6, corrupt_chunks = ?7, capacity_bytes = ?8, stored_bytes = ?9, zone = ?10
            """,
            [
                SQLValue(node.id), .text(node.url), .text(node.version), SQLValue(node.lastHeartbeat.nanoseconds),
                SQLValue(node.report.diskUsagePercent), SQLValue(node.report.chunkCount), corrupt(node.report),
                capacity(node.report), stored(node.report), .text(node.zone),
            ])
        if let acceptor = node.acceptor {
            let key = try key(of: node.id, connection)
            try connection.run(
                "UPDATE nodes SET disk_key = ?2 WHERE key = ?1",
                [SQLValue(key), SQLValue(try diskKey(of: acceptor, at: key, connection))])
        }
        if let proofKey = node.proofKey {
            try connection.run("UPDATE nodes SET proof_key = ?2 WHERE id = ?1", [SQLValue(node.id), .blob(proofKey)])
        }
    }

    /// The key of a disk of the node; it is entered when it is new.
    private static func diskKey(
        of acceptor: AcceptorID, at node: Int64, _ connection: Connection
    ) throws(CatalogError) -> Int64 {
        let values = [SQLValue(node), SQLValue(acceptor)]
        try connection.run("INSERT INTO disks (node_key, acceptor) VALUES (?, ?) ON CONFLICT DO NOTHING", values)
        let key = try connection.row("SELECT key FROM disks WHERE node_key = ? AND acceptor = ?", values) {
            $0.integer(0)
        }
        guard let key else { throw CatalogError(.database, "a disk was entered and is not there") }
        return key
    }

    static func recordHeartbeat(
        of id: NodeID, _ report: NodeReport, at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            """
            UPDATE nodes SET last_heartbeat = max(last_heartbeat, ?2), disk_usage_percent = ?3, chunk_count = ?4,
                corrupt_chunks = ?5, impairment = ?6, capacity_bytes = ?7, stored_bytes = ?8
            WHERE id = ?1
            """,
            [
                SQLValue(id), SQLValue(time.nanoseconds), SQLValue(report.diskUsagePercent),
                SQLValue(report.chunkCount), corrupt(report), report.impairment.map { .text($0) } ?? .null,
                capacity(report), stored(report),
            ])
        guard connection.changeCount == 1 else { throw unknown(id) }
    }

    /// Of `nodes n` and its present `disks d`.
    private static let columns = """
        n.id, n.url, n.version, n.last_heartbeat, n.disk_usage_percent, n.chunk_count, n.corrupt_chunks, d.acceptor,
        n.proof_key, n.impairment, n.zone, n.capacity_bytes, n.stored_bytes
        """

    static func all(_ connection: Connection) throws(CatalogError) -> [Node] {
        try connection.rows(
            "SELECT \(columns) FROM nodes n LEFT JOIN disks d ON d.key = n.disk_key ORDER BY n.id", [], node)
    }

    /// The members of a group, in order of id.
    static func members(ofGroup key: Int64, _ connection: Connection) throws(CatalogError) -> [Node] {
        try connection.rows(
            """
            SELECT \(columns) FROM group_members m JOIN nodes n ON n.key = m.node_key
            LEFT JOIN disks d ON d.key = n.disk_key WHERE m.group_key = ? ORDER BY n.id
            """, [SQLValue(key)], node)
    }

    private static func node(_ row: Row) throws(CatalogError) -> Node {
        let report = NodeReport(
            diskUsagePercent: row.real(4), chunkCount: row.int(5),
            corruptChunks: row.text(6).split(separator: " ").compactMap { ChunkID($0) },
            space: row.isNull(11) ? nil : Placement.Space(capacityBytes: row.int(11), storedBytes: row.int(12)),
            impairment: row.isNull(9) ? nil : row.text(9))
        return Node(
            id: try row.decode(0) { NodeID($0) }, url: row.text(1), version: row.text(2), zone: row.text(10),
            lastHeartbeat: Timestamp(nanoseconds: row.integer(3)), report: report,
            acceptor: row.isNull(7) ? nil : try row.decode(7) { AcceptorID($0) },
            proofKey: row.isNull(8) ? nil : row.withBlob(8) { Array($0) })
    }

    /// A node and its present disk.
    struct Present {
        let id: NodeID
        let disk: Int64

        /// Whether what was recorded as being on that disk of the node is still there.
        func has(_ recorded: Int64) -> Bool { recorded == 0 || recorded == disk }
    }

    /// By the node's key, for joining in memory.
    static func presentByKey(_ connection: Connection) throws(CatalogError) -> [Int64: Present] {
        let pairs = try connection.rows("SELECT key, id, disk_key FROM nodes") { (row) throws(CatalogError) in
            (row.integer(0), Present(id: try row.decode(1) { NodeID($0) }, disk: row.integer(2)))
        }
        return Dictionary(pairs) { first, _ in first }
    }

    /// - Throws: ``CatalogError`` of code `notFound`.
    static func key(of id: NodeID, _ connection: Connection) throws(CatalogError) -> Int64 {
        guard let key = try connection.row("SELECT key FROM nodes WHERE id = ?", [SQLValue(id)], { $0.integer(0) })
        else { throw unknown(id) }
        return key
    }

    /// The group's key; it is entered when it is new.
    static func enter(_ group: PlacementGroup, _ connection: Connection) throws(CatalogError) -> Int64 {
        if let key = try groupKey(group.id, connection) { return key }
        try connection.run("INSERT INTO placement_groups (id) VALUES (?)", [.text(group.id)])
        let key = connection.lastInsertedKey
        for (index, member) in group.members.enumerated() {
            let node = try self.key(of: member, connection)
            let disk = try group.acceptors.map { (acceptors) throws(CatalogError) in
                try diskKey(of: acceptors[index], at: node, connection)
            }
            try connection.run(
                "INSERT INTO group_members (group_key, node_key, disk_key) VALUES (?, ?, ?)",
                [SQLValue(key), SQLValue(node), SQLValue(disk ?? 0)])
        }
        return key
    }

    static func group(_ id: String, _ connection: Connection) throws(CatalogError) -> PlacementGroup? {
        guard let key = try groupKey(id, connection) else { return nil }
        return try group(key: key, connection)
    }

    static func group(key: Int64, _ connection: Connection) throws(CatalogError) -> PlacementGroup {
        let members = try connection.rows(
            """
            SELECT n.id, d.acceptor FROM group_members m JOIN nodes n ON n.key = m.node_key
            LEFT JOIN disks d ON d.key = m.disk_key WHERE m.group_key = ?
            """, [SQLValue(key)]
        ) { (row) throws(CatalogError) in
            (try row.decode(0) { NodeID($0) }, row.isNull(1) ? nil : try row.decode(1) { AcceptorID($0) })
        }
        let identities = Dictionary(members.compactMap { node, acceptor in acceptor.map { (node, $0) } }) { one, _ in
            one
        }
        return PlacementGroup(members: members.map(\.0), identities: identities)
    }

    private static func groupKey(_ id: String, _ connection: Connection) throws(CatalogError) -> Int64? {
        try connection.row("SELECT key FROM placement_groups WHERE id = ?", [.text(id)]) { $0.integer(0) }
    }

    /// Chunk ids have no spaces, so a space parts them.
    private static func corrupt(_ report: NodeReport) -> SQLValue {
        .text(report.corruptChunks.map(\.description).joined(separator: " "))
    }

    private static func capacity(_ report: NodeReport) -> SQLValue {
        report.space.map { SQLValue($0.capacityBytes) } ?? .null
    }

    private static func stored(_ report: NodeReport) -> SQLValue {
        report.space.map { SQLValue($0.storedBytes) } ?? .null
    }

    static func unknown(_ id: NodeID) -> CatalogError {
        CatalogError(.notFound, "no storage node '\(id)' is registered: it has to register first")
    }
}
