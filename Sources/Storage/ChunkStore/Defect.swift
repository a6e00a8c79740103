/// A way to break the store on purpose. Tests that nothing can fail prove nothing, so there must be some that each of
/// these fails. Only debug builds can be broken; in a release build nothing is left of it.
package enum Defect: Sendable, CaseIterable {
    /// Takes payloads for intact without comparing their CRC.
    case skipsPayloadCRC
}

extension ChunkStore.Options {
    func has(_ defect: Defect) -> Bool {
        #if DEBUG
            self.defect == defect
        #else
            false
        #endif
    }
}
