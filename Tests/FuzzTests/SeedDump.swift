import Foundation
import Testing
@testable import ChunkStore
@Test func dumpSeeds() throws {
    let (log, checkpoint) = FuzzedStore.small
    let base = "/work/wt/faults/Tests/FuzzTests/Corpus/"
    func w(_ n: String, _ b: [UInt8]) { FileManager.default.createFile(atPath: base + n, contents: Data(b)) }
    w("store/small", log); w("checkpoint/small", checkpoint)
    w("record/chunk", Array(log[..<192])); w("record/short", Array(log[..<140]))
    let header = SuperblockHeader(number: 1, store: StoreID(bytes: (0..<16).map { $0 }), createdAt: .init(nanoseconds: 5), salt: 99)
    w("superblock/header", Array(header.encodedFile()[..<64]))
}
