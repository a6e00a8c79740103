import Base
import CMicrohttpd
import HTTPTypes
import Synchronization

/// Turns a ``Response`` into the library's own.
enum ResponseWriter {
    /// Bodies up to this are copied into the library's memory; larger ones are kept alive instead.
    private static let copyBytesMax = 16 * ByteCount.kibibyte

    /// - Parameter exchange: gives what a streamed body suspends and resumes; not asked for other bodies.
    /// - Returns: a response the caller must destroy after queueing it; nil when memory is out.
    static func make(_ response: Response, exchange: () -> Exchange) -> OpaquePointer? {
        guard let made = body(response.body, exchange) else { return nil }
        response.headers.forEachCString { MHD_add_response_header(made, $0, $1) }
        return made
    }

    /// The library's form of an answer that is sent many times, made the first time. It belongs to `prepared`.
    static func form(of prepared: PreparedResponse) -> OpaquePointer? {
        prepared.serverForm.withLock { form in
            if let form { return form.handle }
            guard
                let made = make(prepared.response, exchange: { preconditionFailure("a prepared answer is no stream") })
            else { return nil }
            form = PreparedResponse.ServerForm(made) { MHD_destroy_response($0) }
            return made
        }
    }

    private static func body(_ body: ResponseBody, _ exchange: () -> Exchange) -> OpaquePointer? {
        switch body {
        case .empty: return MHD_create_response_from_buffer(0, nil, .RESPMEM_PERSISTENT)
        case .bytes(let bytes) where bytes.count <= copyBytesMax:
            return bytes.withUnsafeBytes { buffer in
                MHD_create_response_from_buffer(
                    buffer.count, UnsafeMutableRawPointer(mutating: buffer.baseAddress), .RESPMEM_MUST_COPY)
            }
        case .bytes(let bytes): return region(MemoryRegion(copying: bytes))
        case .region(let memory): return region(memory)
        case .stream(let length, let source): return stream(length, source, exchange())
        }
    }

    private static func region(_ memory: MemoryRegion) -> OpaquePointer? {
        let owner = Unmanaged.passRetained(memory.owner as AnyObject)
        let made = MHD_create_response_from_buffer_with_free_callback_cls(
            memory.bytes.count, UnsafeMutableRawPointer(mutating: memory.bytes.baseAddress),
            { context in Unmanaged<AnyObject>.fromOpaque(context!).release() }, owner.toOpaque())
        if made == nil { owner.release() }
        return made
    }

    private static func stream(_ length: Int?, _ source: ByteSource, _ exchange: Exchange) -> OpaquePointer? {
        let stream = Unmanaged.passRetained(ResponseStream(source, exchange: exchange))
        let made = MHD_create_response_from_callback(
            length.map(UInt64.init) ?? UInt64.max, ResponseStream.blockBytes,
            { context, _, buffer, capacity in
                Unmanaged<ResponseStream>.fromOpaque(context!).takeUnretainedValue()
                    .read(into: UnsafeMutableRawBufferPointer(start: buffer, count: capacity))
            },
            stream.toOpaque(),
            { context in
                let stream = Unmanaged<ResponseStream>.fromOpaque(context!)
                stream.takeUnretainedValue().cancel()
                stream.release()
            })
        if made == nil { stream.release() }
        return made
    }
}
