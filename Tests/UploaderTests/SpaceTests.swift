import Base
import Synchronization
import Testing

@testable import TemporaryStorage
@testable import Uploader

@Suite struct SpaceTests {
    @Test("no more is promised than is free, less what is left to others")
    func ledger() {
        let free = SpaceLedger.freeBytesMin + 1000
        var ledger = SpaceLedger()
        func reserve(_ bytes: Int, _ free: Int) -> Bool { ledger.reserve(bytes, freeBytes: free) }
        #expect(reserve(600, free))
        #expect(!reserve(401, free))
        #expect(reserve(400, free))
        // A file took the first: the disk has less, and as much less is promised.
        ledger.settle(600)
        #expect(!reserve(1, free - 600))
        ledger.settle(400)
        #expect(ledger.outstandingBytes == 0)
        #expect(reserve(400, free - 600))
    }

    @Test("a reservation is given back when it is let go, whatever was taken of it")
    func reservation() throws {
        let space = TemporarySpace(folder: "/") { _ in SpaceLedger.freeBytesMin + 1000 }
        do {
            let reservation = try space.reserve(700)
            reservation.taken(300)
            #expect(space.outstandingBytes == 400)
            // A form is a little longer than its file, never the other way round; more is no harm.
            reservation.taken(900)
            #expect(space.outstandingBytes == 0)
            try reservation.grow(by: 500)
            #expect(space.outstandingBytes == 500)
        }
        #expect(space.outstandingBytes == 0)
    }

    @Test("no room is 507, and promises nothing")
    func full() {
        let space = TemporarySpace(folder: "/") { _ in 100 }
        #expect {
            _ = try space.reserve(1)
        } throws: { ($0 as? Failure)?.category == .insufficientStorage }
        #expect(space.outstandingBytes == 0)
    }
}
