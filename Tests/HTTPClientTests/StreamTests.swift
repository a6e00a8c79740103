import Base
import Foundation
import HTTPClient
import HTTPTypes
import Synchronization
import Testing

@Suite struct StreamTests {
    private static func collect(_ body: BodyStream) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await piece in body { bytes += piece }
        return bytes
    }

    @Test("the head is here before the body, and the body comes whole and in order")
    func headFirst() async throws {
        let headSeen = Signal()
        let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
        let server = try TestServer { peer in
            while peer.readHead() != nil {
                peer.write("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: \(content.count)\r\n\r\n")
                headSeen.waitBlocking()
                peer.write(content)
            }
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        for _ in 0..<3 {
            let response = try await client.stream(.get(server.url))
            #expect(response.status == .ok)
            #expect(response.headers["x-a"] == "b")
            headSeen.set()
            #expect(try await Self.collect(response.body) == content)
        }
        #expect(server.connectionCount == 1)
    }

    @Test("a reader that does not read stops the sender, and goes on when it reads again")
    func backPressure() async throws {
        let pieceCount = 512
        let piece = [UInt8](repeating: 7, count: 131_072)
        let stalled = Signal()
        let finished = Locked(false)
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: \(pieceCount * piece.count)\r\n\r\n")
            for _ in 0..<pieceCount {
                if !peer.isWritable(withinMilliseconds: 200) { stalled.set() }
                peer.write(piece)
            }
            finished.withLock { $0 = true }
            stalled.set()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let response = try await client.stream(.get(server.url))
        await stalled.wait()
        #expect(!finished.withLock { $0 })
        #expect(try await Self.collect(response.body).count == pieceCount * piece.count)
    }

    @Test("a slow reader is no reason for an idle timeout")
    func pausedIsNotIdle() async throws {
        let content = [UInt8](repeating: 1, count: 40_000_000)
        let stalled = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: \(content.count)\r\n\r\n")
            peer.write(Array(content[..<20_000_000]))
            // Past the idle time by far, during which the reader was paused.
            if !peer.isWritable(withinMilliseconds: 4000) { stalled.set() }
            stalled.set()
            peer.write(Array(content[20_000_000...]))
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        var request = ClientRequest.get(server.url)
        request.idleTimeout = .seconds(3)
        let response = try await client.stream(request)
        var iterator = response.body.makeAsyncIterator()
        var count = try await iterator.next()?.count ?? 0
        let silence = try TestServer { peer in peer.waitForClose() }
        defer { silence.stop() }
        var other = ClientRequest.get(silence.url)
        // A clock of the client's own kind that runs longer than the paused answer may be idle.
        other.idleTimeout = .milliseconds(4500)
        #expect(await failureCode { _ = try await client.send(other) } == .timeout)
        while let piece = try await iterator.next() { count += piece.count }
        await stalled.wait()
        #expect(count == content.count)
    }

    @Test("letting go of the body closes the connection")
    func dropped() async throws {
        let left = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\n\r\nbeginning")
            peer.waitForClose()
            left.set()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        do {
            let response = try await client.stream(.get(server.url))
            #expect(response.status == .ok)
        }
        await left.wait()
    }

    @Test("a connection that breaks gives what came, and then says interrupted")
    func broken() async throws {
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let response = try await client.stream(.get(server.url))
        var came: [UInt8] = []
        let code = await failureCode { for try await piece in response.body { came += piece } }
        #expect(code == .interrupted)
        #expect(came == Array("half".utf8))
    }

    @Test("cancelling the reader's task ends the exchange")
    func cancelled() async throws {
        let left = Signal()
        let waiting = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\n\r\nbeginning")
            peer.waitForClose()
            left.set()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let response = try await client.stream(.get(server.url))
        let task = Task {
            await failureCode { for try await _ in response.body { waiting.set() } }
        }
        await waiting.wait()
        task.cancel()
        #expect(await task.value == .cancelled)
        await left.wait()
    }

    @Test("shutdown fails a body that is being read")
    func shutdown() async throws {
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\n\r\nbeginning")
            peer.waitForClose()
        }
        defer { server.stop() }
        let client = HTTPClient()
        let response = try await client.stream(.get(server.url))
        client.shutdown()
        #expect(await failureCode { _ = try await Self.collect(response.body) } == .closed)
    }

    @Test("an error before the head is thrown by the call itself")
    func noHead() async throws {
        let server = try TestServer { peer in _ = peer.readHead() }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        #expect(await failureCode { _ = try await client.stream(.get(server.url)) } == .interrupted)
    }
}
