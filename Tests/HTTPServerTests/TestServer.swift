import Base
import Foundation
import HTTPServer
import HTTPTypes
import Synchronization

/// A server on a free port with one route for each way to answer.
final class TestServer: Sendable {
    let server: HTTPServer
    let metrics = Metrics()
    let gate = Gate()
    let sinks = Locked<[RecordingSink]>([])
    let bytesStreamed = Locked(0)
    let piecesAsked = Locked(0)
    let prepared: PreparedResponse
    static let region = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    init(_ adjust: (inout ServerConfiguration) -> Void = { _ in }) throws {
        var configuration = ServerConfiguration()
        configuration.drainSeconds = 5
        adjust(&configuration)
        let holder = Holder()
        var router = Router()
        Self.addRoutes(to: &router, holder)
        prepared = holder.prepared
        server = try HTTPServer(
            configuration: configuration, router: router, metrics: metrics, log: Logger("test"))
        holder.test = self
    }

    deinit { server.stop() }

    var port: Int { server.port }

    func connect() throws -> RawConnection { try RawConnection(port: port, of: self) }

    /// Lets the routes, which exist before the test server does, find it.
    final class Holder: @unchecked Sendable {
        // Written once before the first request; the server's own start orders the two.
        weak var test: TestServer?
        let prepared = PreparedResponse(Response(.ok, headers: ["X-Made": "once"], body: .bytes(Array("ready".utf8))))
    }

    private static func addRoutes(to router: inout Router, _ holder: Holder) {
        router.add(.get, "/hello", "") { view in
            .respond(.text("hello \(view.query("name") ?? "nobody")"))
        }
        let prepared = holder.prepared
        router.add(.get, "/prepared", "") { _ in .prepared(prepared) }
        router.add(.post, "/prepared", "") { _ in .prepared(prepared) }
        router.add(.get, "/fails", "") { _ in throw Failure(.conflict, "that was there already") }
        router.add(.get, "/item/{id}", "") { view in .respond(.text(view.parameters["id"])) }
        router.task(.get, "/slow", "") { request in
            await holder.test?.gate.wait()
            return .text("slow \(Logger.requestID ?? "")")
        }
        router.add(.get, "/region", "") { view in
            let region = MemoryRegion(copying: Self.region)
            return .respond(
                Response.content(for: view, size: region.bytes.count, tag: EntityTag("r"), contentType: "a/b") {
                    .region(region[$0])
                })
        }
        router.add(.get, "/pieces", "") { _ in
            let count = Locked(0)
            return .respond(
                Response(
                    .ok,
                    body: .stream(
                        length: nil,
                        ByteSource {
                            holder.test?.piecesAsked.withLock { $0 += 1 }
                            await Task.yield()
                            return count.withLock { count in
                                count += 1
                                return count <= 100 ? [UInt8](repeating: UInt8(count), count: 10_000) : nil
                            }
                        })))
        }
        router.add(.get, "/endless", "") { _ in
            .respond(
                Response(
                    .ok,
                    body: .stream(
                        length: nil,
                        ByteSource {
                            holder.test?.piecesAsked.withLock { $0 += 1 }
                            return [UInt8](repeating: 7, count: 65_536)
                        })))
        }
        router.add(.get, "/events", "") { _ in
            let count = Locked(0)
            return .respond(
                .events {
                    count.withLock { count in
                        count += 1
                        return count <= 2 ? [ServerSentEvent(name: "tick", data: "\(count)")] : nil
                    }
                })
        }
        router.add(.post, "/echo", "") { _ in
            .body(limit: 5_000_000) { bytes in Response(.ok, body: .bytes(bytes)) }
        }
        router.add(.post, "/count", "") { _ in
            .stream(limit: nil) { body in
                var count = 0
                for try await piece in body {
                    await holder.test?.gate.wait()
                    count += piece.count
                    let seen = count
                    holder.test?.bytesStreamed.withLock { $0 = seen }
                }
                return .text("\(count)")
            }
        }
        router.add(.post, "/refuses", "") { _ in
            .stream(limit: nil) { _ in throw Failure(.invalidArgument, "not wanted") }
        }
        router.add(.post, "/form", "") { _ in
            .form(limit: 10_000_000) { form in
                var text = ""
                for try await event in form {
                    switch event {
                    case .part(let name, let filename, let type):
                        text += "[\(name)|\(filename ?? "-")|\(type ?? "-")]"
                    case .data(let bytes): text += bytes.count < 50 ? String(decoding: bytes, as: UTF8.self) : "…"
                    }
                }
                return .text(text)
            }
        }
        router.add(.put, "/sink", "") { view in
            let sink = RecordingSink()
            holder.test?.sinks.withLock { $0.append(sink) }
            return .sink(limit: 2_000_000, sink)
        }
    }
}

/// Open by default; a test closes it to hold handlers up and opens it again.
final class Gate: Sendable {
    private struct State {
        var isOpen = true
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    func close() { state.withLock { $0.isOpen = false } }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    var waiterCount: Int { state.withLock { $0.waiters.count } }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

final class RecordingSink: BodySink {
    struct Seen {
        var bytes = 0
        var isFinished = false
        var isAborted = false
    }

    let seen = Locked(Seen())

    func receive(_ bytes: UnsafeRawBufferPointer) throws { seen.withLock { $0.bytes += bytes.count } }

    func finish(_ respond: @escaping @Sendable (Result<Response, any Error>) -> Void) {
        let count = seen.withLock { seen in
            seen.isFinished = true
            return seen.bytes
        }
        // From another thread, as a log writer would.
        Thread.detachNewThread { respond(.success(.text("\(count)"))) }
    }

    func abort() { seen.withLock { $0.isAborted = true } }
}

/// Waits until `condition` holds; false after a bound that only a hang reaches.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<20_000 {
        if condition() { return true }
        usleep(1_000)
    }
    return condition()
}

/// Runs a test that blocks (on sockets) where it cannot keep the server's own tasks from running.
func onOwnThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
