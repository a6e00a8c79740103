import Base
import Foundation
import Synchronization

/// Room on the disk of temporary files, promised before the first byte is read.
package final class TemporarySpace: Sendable {
    private let folder: String
    private let ledger = Locked(SpaceLedger())
    /// What the disk has; a test says its own.
    private let freeBytes: @Sendable (String) -> Int

    package init(folder: String, freeBytes: @escaping @Sendable (String) -> Int = TemporarySpace.freeBytes) {
        self.folder = folder
        self.freeBytes = freeBytes
    }

    /// - Throws: ``Failure`` (507) when there is no room.
    package func reserve(_ bytes: Int) throws(Failure) -> SpaceReservation {
        let reservation = SpaceReservation(space: self)
        try reservation.grow(by: bytes)
        return reservation
    }

    /// Bytes promised and not taken.
    package var outstandingBytes: Int { ledger.withLock { $0.outstandingBytes } }

    fileprivate func promise(_ bytes: Int) throws(Failure) {
        let free = freeBytes(folder)
        guard ledger.withLock({ $0.reserve(bytes, freeBytes: free) }) else {
            throw Failure(
                .insufficientStorage,
                "there is no room for \(ByteCount.text(bytes)) now; try again later or free some space")
        }
    }

    fileprivate func settle(_ bytes: Int) { ledger.withLock { $0.settle(bytes) } }

    /// What an ordinary user may still write on the folder's disk; 0 when it cannot be told.
    package static let freeBytes: @Sendable (String) -> Int = { folder in
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return 0 }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }
}

/// A promise of room, given back when it is let go.
package final class SpaceReservation: Sendable {
    private let space: TemporarySpace
    private let outstanding = Locked(0)

    fileprivate init(space: TemporarySpace) { self.space = space }

    deinit { space.settle(outstanding.withLock { $0 }) }

    /// - Throws: ``Failure`` (507) when there is no room for more.
    package func grow(by bytes: Int) throws(Failure) {
        try space.promise(bytes)
        outstanding.withLock { $0 += bytes }
    }

    /// The file has taken that many bytes of the disk; the promise is that much smaller.
    package func taken(_ bytes: Int) {
        let settled = outstanding.withLock { outstanding in
            let settled = min(bytes, outstanding)
            outstanding -= settled
            return settled
        }
        space.settle(settled)
    }

    /// What is still promised.
    package var outstandingBytes: Int { outstanding.withLock { $0 } }
}
