import Base
import CCurl
import HTTPTypes

extension Transfer {
    /// Large enough for a read from a fast network to be one call; libcurl hands it on in pieces of 16 KiB.
    private static let receiveBufferBytes = 256 * ByteCount.kibibyte
    /// Larger is slower, since the copy through the buffer then misses the cache: 24 PUTs of 2 MiB at once over loopback
    /// reach 2.4 GB/s with 64 KiB, 2.8 with 256, 3.5 with 512, and 2.1 with 2 MiB, which also takes 35 MB more.
    private static let sendBufferBytesMax = 512 * ByteCount.kibibyte
    private static let sendBufferBytesMin = 64 * ByteCount.kibibyte
    /// Larger bodies, and those of unknown size, wait for `100 Continue` when they could not be sent twice, so that a
    /// server can refuse them unsent.
    private static let expectContinueBytes = ByteCount.mebibyte
    /// Under the time for which our servers keep an idle connection, so that a kept one is seldom found closed.
    private static let connectionIdleSeconds = 20

    /// Tells the handle everything about the exchange.
    func configure() {
        handle.reset()
        let request = submission.request
        handle.set(CURLOPT_URL, request.url)
        handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
        handle.set(CURLOPT_PROXY, "")
        handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        handle.set(CURLOPT_USERAGENT, "vstack/\(Version.current)")
        handle.set(CURLOPT_PATH_AS_IS, 1)
        handle.set(CURLOPT_NOSIGNAL, 1)
        handle.set(CURLOPT_QUICK_EXIT, 1)
        handle.set(CURLOPT_TCP_NODELAY, 1)
        handle.set(CURLOPT_TCP_KEEPALIVE, 1)
        handle.set(CURLOPT_MAXAGE_CONN, Self.connectionIdleSeconds)
        handle.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.connectTimeout.wholeMilliseconds))
        handle.set(CURLOPT_BUFFERSIZE, Self.receiveBufferBytes)
        setMethodAndBody(request)
        setCallbacks()
    }

    private func setMethodAndBody(_ request: ClientRequest) {
        var lines: [String] = []
        for field in request.headers {
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        let length: Int?
        switch request.body {
        case .none: length = 0
        case .bytes(let bytes): length = bytes.count
        case .stream(let announced, _): length = announced
        }
        if case .none = request.body, ![.post, .put, .patch].contains(request.method) {
            handle.set(request.method == .head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1)
        } else {
            handle.set(CURLOPT_UPLOAD, 1)
            handle.setOffset(CURLOPT_INFILESIZE_LARGE, length ?? -1)
            let wanted = length ?? Self.sendBufferBytesMax
            handle.set(
                CURLOPT_UPLOAD_BUFFERSIZE, min(max(wanted, Self.sendBufferBytesMin), Self.sendBufferBytesMax))
        }
        handle.set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        let isLargeAndUnique = !isRepeatable && (length ?? Int.max) > Self.expectContinueBytes
        lines.append(isLargeAndUnique || isSecondAttempt ? "Expect: 100-continue" : "Expect:")
        handle.setHeaders(lines)
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        handle.set(CURLOPT_PRIVATE, context)
        handle.set(CURLOPT_HEADERDATA, context)
        handle.set(CURLOPT_WRITEDATA, context)
        handle.set(CURLOPT_READDATA, context)
        handle.set(CURLOPT_SEEKDATA, context)
        handle.set(CURLOPT_HEADERFUNCTION) { buffer, size, count, context in
            let line = UnsafeRawBufferPointer(start: buffer, count: size * count)
            return Transfer.from(context).receiveHeader(line) ? size * count : 0
        }
        handle.set(CURLOPT_WRITEFUNCTION) { buffer, size, count, context in
            Transfer.from(context).receive(UnsafeRawBufferPointer(start: buffer, count: size * count))
        }
        handle.set(CURLOPT_READFUNCTION) { buffer, size, count, context in
            Transfer.from(context).send(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        }
        handle.setSeek { context, offset, origin in
            // libcurl only ever goes back to the beginning.
            offset == 0 && origin == 0 && Transfer.from(context).rewind() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
        }
    }

    /// The transfer that a handle or callback carries. The driver keeps it alive while the handle is in use.
    static func from(_ context: UnsafeMutableRawPointer?) -> Transfer {
        guard let context else { preconditionFailure("a callback without its transfer") }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }
}

extension Duration {
    var wholeMilliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
