import Base
import CMicrohttpd
import HTTPTypes

/// Takes `multipart/form-data` and `application/x-www-form-urlencoded` apart by the library's post processor.
final class FormDecoder {
    private static let bufferBytes = 128 * ByteCount.kibibyte

    private let channel: BackpressureChannel<FormStream.Event>
    private var processor: OpaquePointer?
    private var isFull = false

    /// - Throws: ``Failure`` (415) when the request's Content-Type names no form.
    init(_ connection: OpaquePointer, channel: BackpressureChannel<FormStream.Event>) throws(Failure) {
        self.channel = channel
        let context = Unmanaged.passUnretained(self).toOpaque()
        processor = MHD_create_post_processor(
            connection, Self.bufferBytes,
            { context, _, name, filename, contentType, _, data, offset, size in
                let decoder = Unmanaged<FormDecoder>.fromOpaque(context!).takeUnretainedValue()
                let text = { (pointer: UnsafePointer<CChar>?) in pointer.map { String(cString: $0) } }
                if offset == 0 { decoder.begin(text(name) ?? "", text(filename), text(contentType)) }
                decoder.append(UnsafeRawBufferPointer(start: data, count: size))
                return .YES
            }, context)
        guard processor != nil else {
            throw Failure(
                .unsupportedMediaType,
                "the body must be a form: send Content-Type multipart/form-data with a boundary (curl -F does)")
        }
    }

    deinit { if let processor { MHD_destroy_post_processor(processor) } }

    /// Whether the consumer has still to catch up.
    var isBehind: Bool { channel.isPaused }

    /// - Returns: whether the consumer is behind and the producer should pause.
    func decode(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Bool {
        isFull = false
        guard MHD_post_process(processor, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) == .YES
        else { throw Self.malformed }
        return isFull
    }

    func finish() throws(Failure) {
        let isWhole = MHD_destroy_post_processor(processor) == .YES
        processor = nil
        guard isWhole else {
            channel.finish(.failure(Self.malformed))
            throw Self.malformed
        }
        channel.finish()
    }

    func cancel(_ reason: any Error) { channel.finish(.failure(reason)) }

    private static let malformed = Failure(
        .invalidArgument, "the form is malformed: it does not end with the boundary its Content-Type names")

    private func begin(_ name: String, _ filename: String?, _ contentType: String?) {
        push(.part(name: name, filename: filename, contentType: contentType), cost: name.utf8.count + 64)
    }

    private func append(_ data: UnsafeRawBufferPointer) {
        if data.count > 0 { push(.data([UInt8](data)), cost: data.count) }
    }

    private func push(_ event: FormStream.Event, cost: Int) {
        if channel.push(event, cost: cost) { isFull = true }
    }
}
