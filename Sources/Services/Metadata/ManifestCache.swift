import Base
import Digests
import HTTPTypes
import Synchronization

/// Rendered manifests, ready to be sent from memory as they lie.
///
/// Invariant: what ``find(_:nodesVersion:)`` gives was read from the catalog after the last ``invalidate(_:)`` of that
/// video, and with the nodes of that version.
final class ManifestCache: Sendable {
    /// A rendered manifest.
    struct Entry: Sendable {
        let body: MemoryRegion
        let tag: EntityTag

        init(_ bytes: [UInt8]) {
            let owner = CachedBytes(bytes)
            body = MemoryRegion(bytes: owner.bytes, owner: owner)
            tag = EntityTag(String(SHA256.digest(of: bytes).hex.prefix(32)))
        }
    }

    /// What was known when a rendering began.
    struct Ticket: Sendable {
        fileprivate let changes: UInt64
        fileprivate let nodesVersion: Int
    }

    private struct Slot {
        let entry: Entry
        let nodesVersion: Int
        var usedAt: UInt64
    }

    private struct State {
        var slots: [VideoID: Slot] = [:]
        var sizeBytes = 0
        var uses: UInt64 = 0
        /// Invalidations so far, of all videos that share the place: a few false alarms for a bounded table.
        var changes = [UInt64](repeating: 0, count: 256)

        mutating func remove(_ id: VideoID) {
            if let slot = slots.removeValue(forKey: id) { sizeBytes -= slot.entry.body.bytes.count }
        }

        /// Drops the least recently used; a quarter at a time, so that finding them costs little an entry.
        mutating func shrink(to target: Int) {
            for (id, _) in slots.map({ ($0.key, $0.value.usedAt) }).sorted(by: { $0.1 < $1.1 }) {
                if sizeBytes <= target { return }
                remove(id)
            }
        }
    }

    private let sizeBytesMax: Int
    private let state = Locked(State())

    /// - Parameter sizeBytesMax: bytes of manifests that are kept.
    init(sizeBytesMax: Int = 64 * ByteCount.mebibyte) { self.sizeBytesMax = sizeBytesMax }

    func find(_ id: VideoID, nodesVersion: Int) -> Entry? {
        state.withLock { state in
            guard let slot = state.slots[id], slot.nodesVersion == nodesVersion else { return nil }
            state.uses += 1
            state.slots[id]?.usedAt = state.uses
            return slot.entry
        }
    }

    /// To be called before the catalog is read.
    func beginRendering(_ id: VideoID, nodesVersion: Int) -> Ticket {
        state.withLock { Ticket(changes: $0.changes[Self.place(of: id)], nodesVersion: nodesVersion) }
    }

    /// Keeps the entry, unless the video has changed since the ticket was drawn.
    func insert(_ entry: Entry, for id: VideoID, _ ticket: Ticket) {
        state.withLock { state in
            guard state.changes[Self.place(of: id)] == ticket.changes, entry.body.bytes.count <= sizeBytesMax else {
                return
            }
            state.remove(id)
            state.uses += 1
            state.slots[id] = Slot(entry: entry, nodesVersion: ticket.nodesVersion, usedAt: state.uses)
            state.sizeBytes += entry.body.bytes.count
            if state.sizeBytes > sizeBytesMax { state.shrink(to: sizeBytesMax / 4 * 3) }
        }
    }

    /// To be called after a change to the video is in the catalog and before anybody is told of it.
    func invalidate(_ id: VideoID) {
        state.withLock { state in
            state.changes[Self.place(of: id)] += 1
            state.remove(id)
        }
    }

    private static func place(of id: VideoID) -> Int { id.hashValue & 255 }
}

/// Bytes that never move or change.
private final class CachedBytes: @unchecked Sendable {
    // Immutable after init, so sharing needs no lock.
    let bytes: UnsafeRawBufferPointer

    init(_ array: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: array.count, alignment: 16)
        copy.copyBytes(from: array)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit { bytes.deallocate() }
}
