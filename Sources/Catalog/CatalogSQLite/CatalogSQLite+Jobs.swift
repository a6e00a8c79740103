import Base
import Catalog
import Jobs

// The queue of work units.
extension CatalogSQLite {
    package func addJob(_ job: NewJob, to id: VideoID) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            let (key, status) = try VideoTable.require(id, connection)
            guard status == .active else {
                throw CatalogError(.conflict, "video \(id) is \(status.rawValue): only an active one is transcoded")
            }
            try JobOperations.enter(job, of: id, key, connection)
        }
    }

    package func job(of id: VideoID) async throws(CatalogError) -> JobContents? {
        try await read { (connection) throws(CatalogError) in try JobOperations.contents(of: id, connection) }
    }

    package func unfinishedJobs(limit: Int) async throws(CatalogError) -> [VideoID] {
        try await read { (connection) throws(CatalogError) in
            try JobOperations.unfinished(limit: limit, connection)
        }
    }

    package func pullUnit(
        by follower: FollowerID, holding: [UnitID: FencingToken], _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> UnitGrant? {
        try await write { (connection) throws(CatalogError) in
            try FollowerTable.noteSeen(follower, at: time, connection)
            var board = JobBoard(JobTable(connection, now: time), policy)
            return try board.onPull(by: follower, holding: holding, now: time)
        }
    }

    package func renewLease(
        of unit: UnitID, _ token: FencingToken, _ progress: UnitProgress?, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> LeaseVerdict {
        try await write { (connection) throws(CatalogError) in
            var board = JobBoard(JobTable(connection, now: time), policy)
            return try board.onHeartbeat(unit, token, progress, now: time)
        }
    }

    package func isLeaseLive(
        of unit: UnitID, _ token: FencingToken, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> Bool {
        try await read { (connection) throws(CatalogError) in
            try JobOperations.isLive(unit, token, policy, at: time, connection)
        }
    }

    package func completeUnit(
        _ unit: UnitID, _ token: FencingToken, _ result: UnitResult, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> ResultVerdict {
        try await write { (connection) throws(CatalogError) in
            try JobOperations.complete(unit, token, result, policy, at: time, connection)
        }
    }

    package func failUnit(
        _ unit: UnitID, _ token: FencingToken, _ reason: String, isReleased: Bool, _ policy: JobPolicy,
        at time: Timestamp
    ) async throws(CatalogError) -> LeaseVerdict {
        try await write { (connection) throws(CatalogError) in
            try JobOperations.fail(unit, token, reason, isReleased: isReleased, policy, at: time, connection)
        }
    }

    package func stopJob(of id: VideoID, _ policy: JobPolicy, at time: Timestamp) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            _ = try VideoTable.require(id, connection)
            var board = JobBoard(JobTable(connection, now: time), policy)
            guard try board.onStop(id, now: time) else { throw Self.noJob(id) }
        }
    }

    package func resumeJob(
        of id: VideoID, _ policy: JobPolicy, at time: Timestamp
    ) async throws(CatalogError) -> Bool {
        try await write { (connection) throws(CatalogError) in
            _ = try VideoTable.require(id, connection)
            var board = JobBoard(JobTable(connection, now: time), policy)
            guard let isResumed = try board.onResume(id, now: time) else { throw Self.noJob(id) }
            return isResumed
        }
    }

    package func sweepLeases(_ policy: JobPolicy, at time: Timestamp) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            var board = JobBoard(JobTable(connection, now: time), policy)
            try board.onSweep(now: time)
        }
    }

    package func followers() async throws(CatalogError) -> [FollowerRecord] {
        try await read { (connection) throws(CatalogError) in try FollowerTable.all(connection) }
    }

    package func discards(
        on node: NodeID, limit: Int, at time: Timestamp
    ) async throws(CatalogError) -> [Discard] {
        try await read { (connection) throws(CatalogError) in
            try DiscardTable.all(on: node, limit: limit, at: time, connection)
        }
    }

    package func finishDiscard(_ discard: Discard) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in try DiscardTable.finish(discard, connection) }
    }

    private static func noJob(_ id: VideoID) -> CatalogError {
        CatalogError(.notFound, "video \(id) has no transcoding job")
    }
}
