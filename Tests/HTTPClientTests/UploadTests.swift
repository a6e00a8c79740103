import Base
import HTTPClient
import HTTPTypes
import Synchronization
import Testing

/// A source of `count` pieces that says when its task was ended.
private func source(pieces count: Int, of piece: [UInt8]) -> ByteSource {
    let given = Locked(0)
    return ByteSource {
        await Task.yield()
        return given.withLock { given in
            given += 1
            return given <= count ? piece : nil
        }
    }
}

/// Gives `first` and then nothing, until its task is cancelled.
private func stuckSource(after first: [UInt8], stuck: Signal, ended: Signal) -> ByteSource {
    let hasGiven = Locked(false)
    return ByteSource {
        let isFirst = hasGiven.withLock { given in
            defer { given = true }
            return !given
        }
        if isFirst { return first }
        stuck.set()
        defer { ended.set() }
        try await Task.sleep(for: .seconds(3600))
        return nil
    }
}

@Suite struct UploadTests {
    private static func answerSizes(_ peer: TestPeer) {
        while let head = peer.readHead() {
            if head.contains("Expect: 100-continue") { peer.write("HTTP/1.1 100 Continue\r\n\r\n") }
            let field = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
            let body = field.flatMap { Int($0.dropFirst(16)) }.map { peer.read($0) } ?? peer.readChunked()
            peer.answer("201 Created", "\(field == nil ? "chunked" : "sized") \(body.count) \(Set(body).sorted())")
        }
    }

    @Test("a body from a source arrives whole, with a length and without", arguments: [0, 1, 7, 300])
    func fromSource(pieces: Int) async throws {
        let server = try TestServer(Self.answerSizes)
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let piece = [UInt8](repeating: 9, count: 30_001)
        let count = pieces * piece.count
        let values = pieces == 0 ? "[]" : "[9]"
        for method in [HTTPMethod.put, .post] {
            for length in [count, nil] {
                let body = ClientBody.stream(length: length, source(pieces: pieces, of: piece))
                let response = try await client.send(ClientRequest(method, server.url, body: body))
                let kind = length == nil ? "chunked" : "sized"
                #expect(String(decoding: response.body, as: UTF8.self) == "\(kind) \(count) \(values)")
            }
        }
    }

    @Test("a source that gives other than it announced fails the request", arguments: [-1, 1])
    func wrongLength(difference: Int) async throws {
        let server = try TestServer(Self.answerSizes)
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let body = ClientBody.stream(
            length: 500_000 + difference, source(pieces: 5, of: [UInt8](repeating: 1, count: 100_000)))
        #expect(
            await failureCode { _ = try await client.send(ClientRequest(.put, server.url, body: body)) } == .interrupted
        )
    }

    @Test("an error of the source is the request's error")
    func failingSource() async throws {
        let server = try TestServer(Self.answerSizes)
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let body = ClientBody.stream(length: nil, ByteSource { throw Failure(.corrupt, "the disk gave up") })
        await #expect(throws: Failure.self) {
            _ = try await client.send(ClientRequest(.put, server.url, body: body))
        }
    }

    @Test("a source is not asked on when the server takes nothing")
    func backPressure() async throws {
        let stalled = Signal()
        let server = try TestServer { peer in
            _ = peer.readHead()
            peer.write("HTTP/1.1 100 Continue\r\n\r\n")
            stalled.waitBlocking()
            _ = peer.read(200_000_000)
            peer.answer()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let piece = [UInt8](repeating: 1, count: 1_000_000)
        let given = Locked(0)
        let body = ClientBody.stream(
            length: 200 * piece.count,
            ByteSource {
                let count = given.withLock { given in
                    given += 1
                    return given
                }
                return count <= 200 ? piece : nil
            })
        let task = Task { try await client.send(ClientRequest(.put, server.url, body: body)).status }
        // The count stands still once libcurl's and the kernel's buffers are full, long before the end.
        var before = -1
        var now = given.withLock { $0 }
        while now != before || now < 2 {
            before = now
            try await Task.sleep(for: .milliseconds(100))
            now = given.withLock { $0 }
        }
        #expect(now < 200)
        stalled.set()
        #expect(try await task.value == .ok)
        #expect(given.withLock { $0 } >= 200)
    }

    @Test("a refusal that comes before the body was read is the answer", arguments: ["closes", "stays"])
    func earlyRefusal(manner: String) async throws {
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            let close = manner == "stays" ? "" : "Connection: close\r\n"
            peer.answer("413 Content Too Large", #"{"detail":"too much"}"#, headers: close)
            if manner == "stays" { peer.holdOpen() }
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        for _ in 0..<20 {
            let bytes = [UInt8](repeating: 1, count: 20_000_000)
            let response = try await client.send(ClientRequest(.put, server.url, body: .bytes(bytes)))
            #expect(response.status == .contentTooLarge)
            #expect(response.detail == "too much")
        }
    }

    @Test("a refusal while the source has nothing to give ends the source", arguments: [nil, 5_000_000])
    func earlyRefusalOfSource(length: Int?) async throws {
        let stuck = Signal()
        let server = try TestServer { peer in
            guard let head = peer.readHead() else { return }
            #expect(head.contains("Expect: 100-continue"))
            stuck.waitBlocking()
            peer.answer("413 Content Too Large", #"{"detail":"too much"}"#)
            peer.holdOpen()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let ended = Signal()
        let body = ClientBody.stream(length: length, stuckSource(after: [1, 2, 3], stuck: stuck, ended: ended))
        let response = try await client.send(ClientRequest(.post, server.url, body: body))
        #expect(response.status == .contentTooLarge)
        await ended.wait()
    }

    @Test("a refusal in the middle of a source's body ends the source")
    func refusalInTheMiddle() async throws {
        let stuck = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 100 Continue\r\n\r\n")
            _ = peer.read(3)
            stuck.waitBlocking()
            peer.answer("507 Insufficient Storage", #"{"detail":"the disk is full"}"#)
            peer.holdOpen()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let ended = Signal()
        let body = ClientBody.stream(length: 5_000_000, stuckSource(after: [1, 2, 3], stuck: stuck, ended: ended))
        let response = try await client.send(ClientRequest(.post, server.url, body: body))
        #expect(response.status == .insufficientStorage)
        await ended.wait()
    }

    @Test("cancelling ends the source, and the call returns only then")
    func cancellation() async throws {
        let arrived = Signal()
        let server = try TestServer { peer in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 100 Continue\r\n\r\n")
            _ = peer.read(3)
            peer.holdOpen()
        }
        let client = HTTPClient()
        defer { client.shutdown(); server.stop() }
        let isAtRest = Locked(false)
        let first = Locked<[UInt8]?>([1, 2, 3])
        let source = ByteSource {
            if let piece = first.withLock({ first in
                defer { first = nil }
                return first
            }) {
                return piece
            }
            arrived.set()
            defer { isAtRest.withLock { $0 = true } }
            try await Task.sleep(for: .seconds(3600))
            return nil
        }
        let request = ClientRequest(.put, server.url, body: .stream(length: 5_000_000, source))
        let task = Task { () -> (HTTPClientError.Code?, Bool) in
            let code = await failureCode { _ = try await client.send(request) }
            return (code, isAtRest.withLock { $0 })
        }
        await arrived.wait()
        task.cancel()
        let (code, wasAtRest) = await task.value
        #expect(code == .cancelled)
        #expect(wasAtRest)
    }
}
