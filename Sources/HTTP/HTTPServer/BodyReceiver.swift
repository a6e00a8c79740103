import Base
import CMicrohttpd
import HTTPTypes

/// What becomes of a request's body while it arrives. Lives on the connection's own thread.
final class BodyReceiver {
    private enum Mode {
        /// The body is dropped; the task, if there is one, starts at its end.
        case drain(task: (@Sendable () async throws -> Response)?)
        case collect([UInt8], handler: @Sendable ([UInt8]) async throws -> Response)
        case stream(BackpressureChannel<[UInt8]>)
        case form(FormDecoder)
        case sink(any BodySink)
    }

    /// Bytes a handler may be behind before the client is held back.
    private static let highWaterBytes = 512 * ByteCount.kibibyte

    private let exchange: Exchange
    private let bytesMax: Int?
    private(set) var bytesReceived = 0
    private var mode: Mode

    /// - Throws: ``Failure`` when the body cannot be what the handler wants (no form, too long).
    init(_ reply: Reply, connection: OpaquePointer, contentLength: Int?, exchange: Exchange) throws(Failure) {
        self.exchange = exchange
        switch reply {
        case .respond(let response):
            exchange.complete(.success(response))
            (bytesMax, mode) = (nil, .drain(task: nil))
        case .prepared(let prepared):
            exchange.complete(.success(prepared.response))
            (bytesMax, mode) = (nil, .drain(task: nil))
        case .task(let task): (bytesMax, mode) = (nil, .drain(task: task))
        case .body(let limit, let handler): (bytesMax, mode) = (limit, .collect([], handler: handler))
        case .sink(let limit, let sink): (bytesMax, mode) = (limit, .sink(sink))
        case .stream(let limit, let handler):
            try Self.check(contentLength, limit)
            let channel = BackpressureChannel<[UInt8]>(highWater: Self.highWaterBytes) { exchange.releaseBody() }
            (bytesMax, mode) = (limit, .stream(channel))
            let body = BodyStream(ByteSource { try await channel.next() })
            Self.run(exchange, then: { channel.abandon() }) { try await handler(body) }
        case .form(let limit, let handler):
            try Self.check(contentLength, limit)
            let channel = BackpressureChannel<FormStream.Event>(highWater: Self.highWaterBytes) {
                exchange.releaseBody()
            }
            (bytesMax, mode) = (limit, .form(try FormDecoder(connection, channel: channel)))
            let form = FormStream { try await channel.next() }
            Self.run(exchange, then: { channel.abandon() }) { try await handler(form) }
        }
        do { try Self.check(contentLength, bytesMax) } catch {
            cancel(error)
            throw error
        }
        if case .collect(_, let handler) = mode, let contentLength {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(contentLength)
            mode = .collect(bytes, handler: handler)
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        bytesReceived += bytes.count
        try Self.check(bytesReceived, bytesMax)
        switch mode {
        case .drain: break
        case .collect(var collected, let handler):
            mode = .drain(task: nil)  // Gives up the only other reference, so that appending copies nothing.
            collected.append(contentsOf: bytes)
            mode = .collect(collected, handler: handler)
        case .stream(let channel):
            if channel.push([UInt8](bytes), cost: bytes.count) { holdBody(while: { channel.isPaused }) }
        case .form(let decoder):
            if try decoder.decode(bytes) { holdBody(while: { decoder.isBehind }) }
        case .sink(let sink): try sink.receive(bytes)
        }
    }

    /// The body is complete: from here on the answer is awaited.
    func finish() throws {
        let exchange = exchange
        switch mode {
        case .drain(let task?): Self.run(exchange, task)
        case .drain(nil): break
        case .collect(let bytes, let handler): Self.run(exchange) { try await handler(bytes) }
        case .stream(let channel): channel.finish()
        case .form(let decoder): try decoder.finish()
        case .sink(let sink): sink.finish { exchange.complete($0) }
        }
        mode = .drain(task: nil)
    }

    /// The rest of the body will not come, or is not wanted.
    func cancel(_ reason: any Error) {
        switch mode {
        case .drain, .collect: break
        case .stream(let channel): channel.finish(.failure(reason))
        case .form(let decoder): decoder.cancel(reason)
        case .sink(let sink): sink.abort()
        }
        mode = .drain(task: nil)
    }

    private func holdBody(while isBehind: () -> Bool) {
        exchange.holdBody()
        if !isBehind() { exchange.releaseBody() }
    }

    private static func check(_ count: Int?, _ limit: Int?) throws(Failure) {
        guard let count, let limit, count > limit else { return }
        throw Failure(.tooLarge, "the body is larger than the \(ByteCount.text(limit)) allowed here")
    }

    private static func run(
        _ exchange: Exchange, then cleanUp: @escaping @Sendable () -> Void = {},
        _ handler: @escaping @Sendable () async throws -> Response
    ) {
        Task {
            await Logger.$requestID.withValue(exchange.id) {
                do { exchange.complete(.success(try await handler())) } catch { exchange.complete(.failure(error)) }
            }
            cleanUp()
        }
    }
}
