import Base
import CCurl
import HTTPTypes

/// One exchange on the driver's thread, and what libcurl's callbacks do to it.
///
/// Invariants:
/// - `head` is set once, by the empty line after a final (not 1xx) status.
/// - `failure` is ours and wins over whatever libcurl makes of the callback that was refused.
final class Transfer {
    /// What a server's announcement alone may make us set aside.
    private static let reservationBytesMax = 64 * ByteCount.mebibyte

    let submission: Submission
    let handle: EasyHandle
    let startedAt: ContinuousClock.Instant
    let isSecondAttempt: Bool
    private(set) var head: ResponseHead?
    private(set) var failure: (any Error)?
    private(set) var body: [UInt8] = []
    private(set) var lastActivity: ContinuousClock.Instant
    /// The request's body waits for its source.
    private(set) var sendIsPaused = false
    /// The answer's reader has enough for now.
    private(set) var receiveIsPaused = false
    /// The final status came while the request's body was still being sent, and is none that asks for more of it.
    private var isAnsweredEarly = false
    private var status = 0
    private var fields: [HTTPHeaders.Field] = []
    private var receivedBytes = 0
    private var sentOffset = 0
    private var sourceIsDrained = false
    private var bytesSeen = 0

    init(_ submission: Submission, handle: EasyHandle, now: ContinuousClock.Instant) {
        self.submission = submission
        self.handle = handle
        startedAt = now
        lastActivity = now
        isSecondAttempt = false
    }

    /// The same exchange once more, on the same handle and within the same total time.
    init(again first: Transfer, now: ContinuousClock.Instant) {
        submission = first.submission
        handle = first.handle
        startedAt = first.startedAt
        lastActivity = now
        isSecondAttempt = true
    }

    var id: ExchangeID { submission.id }
    private var request: ClientRequest { submission.request }

    /// Length of the answer's body, as announced; nil when it is not known.
    private var announcedBytes: Int? {
        guard let head, !hasNoBody else { return head == nil ? nil : 0 }
        return head.headers["Content-Length"].flatMap { Int($0) }
    }

    private var hasNoBody: Bool { request.method == .head || status == 204 || status == 304 }

    /// Whether the whole answer is here although the request's body was not taken to its end.
    var isCompleteEarly: Bool {
        guard isAnsweredEarly, let announcedBytes else { return false }
        return receivedBytes >= announcedBytes && !receiveIsPaused
    }

    /// Whether an answer stands although the connection then broke: a server that refuses a body need not read it.
    var isAnsweredDespiteBreak: Bool { head != nil && isAnsweredEarly }

    /// A line of the head, or of the trailers, which are ignored.
    func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        guard head == nil else { return true }
        lastActivity = .now
        let text = String(decoding: line, as: UTF8.self).trimmingLineEnd()
        if text.hasPrefix("HTTP/") {
            status = handle.long(CURLINFO_RESPONSE_CODE)
            fields = []
        } else if !text.isEmpty {
            guard let colon = text.firstIndex(of: ":") else { return true }
            let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields.append((String(text[..<colon]), String(value)))
        } else if status >= 200 {
            return completeHead()
        }
        return true
    }

    private func completeHead() -> Bool {
        let head = ResponseHead(status: HTTPStatus(status), headers: HTTPHeaders(fields))
        self.head = head
        isAnsweredEarly = status >= 300 && !requestIsSent
        switch submission.delivery {
        case .pipe(let pipe): pipe.head.give(.success(head))
        case .whole(let limit, _):
            let size = announcedBytes ?? 0
            guard size <= limit else { return refuse(tooLarge(limit)) }
            body.reserveCapacity(min(size, Self.reservationBytesMax))
        }
        return true
    }

    private var requestIsSent: Bool {
        switch request.body {
        case .none: true
        case .bytes(let bytes): handle.offset(CURLINFO_SIZE_UPLOAD_T) >= bytes.count
        case .stream(let length?, _): handle.offset(CURLINFO_SIZE_UPLOAD_T) >= length
        case .stream(nil, _): sourceIsDrained
        }
    }

    /// A piece of the answer's body; what is returned goes back to libcurl.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        lastActivity = .now
        switch submission.delivery {
        case .pipe(let pipe):
            guard pipe.offer(bytes) else {
                receiveIsPaused = true
                return Int(CURL_WRITEFUNC_PAUSE)
            }
        case .whole(let limit, _):
            guard body.count + bytes.count <= limit else {
                _ = refuse(tooLarge(limit))
                return 0
            }
            body.append(contentsOf: bytes)
        }
        receivedBytes += bytes.count
        return bytes.count
    }

    /// Fills `output` with the next of the request's body; what is returned goes back to libcurl.
    func send(into output: UnsafeMutableRawBufferPointer) -> Int {
        lastActivity = .now
        guard let feed = submission.feed else { return sendBytes(into: output) }
        var output = output
        if let length = feed.length {
            output = UnsafeMutableRawBufferPointer(rebasing: output[..<min(output.count, length - sentOffset)])
            if output.isEmpty { return 0 }
        }
        switch feed.pull(into: output) {
        case .bytes(let count):
            sentOffset += count
            return count
        case .wait:
            sendIsPaused = true
            return Int(CURL_READFUNC_PAUSE)
        case .end:
            sourceIsDrained = true
            return 0
        case .failed(let error):
            failure = error
            return Int(CURL_READFUNC_ABORT)
        }
    }

    private func sendBytes(into output: UnsafeMutableRawBufferPointer) -> Int {
        guard case .bytes(let bytes) = request.body else { return 0 }
        let count = min(output.count, bytes.count - sentOffset)
        bytes.withUnsafeBytes { bytes in
            output.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[sentOffset..<sentOffset + count]))
        }
        sentOffset += count
        return count
    }

    /// Whether sending the request twice does what sending it once does: what has left of a POST may have had its
    /// effect, and a source cannot give the same again.
    var isRepeatable: Bool { request.method != .post && request.method != .patch && submission.feed == nil }

    /// Whether the body can begin anew, because a kept connection turned out to be closed.
    func rewind() -> Bool {
        guard isRepeatable || sentOffset == 0 else { return false }
        sentOffset = 0
        return true
    }

    /// Whether a connection that broke while the body was being sent may hide a refusal: a server that answers without
    /// reading and closes can reset the connection before its answer is read. Sent again with `Expect: 100-continue`,
    /// the body stays here until the server wants it.
    func mayHideRefusal(_ code: CURLcode) -> Bool {
        guard case .bytes = request.body else { return false }
        return code == CURLE_SEND_ERROR && head == nil && isRepeatable && !isSecondAttempt
    }

    func resumeSending() {
        guard sendIsPaused else { return }
        sendIsPaused = false
        resume()
    }

    func resumeReceiving() {
        guard receiveIsPaused else { return }
        receiveIsPaused = false
        resume()
    }

    // curl_easy_pause sets both directions at once, and may call back before it returns.
    private func resume() {
        lastActivity = .now
        let mask = (sendIsPaused ? CURLPAUSE_SEND : 0) | (receiveIsPaused ? CURLPAUSE_RECV : 0)
        curl_easy_pause(handle.pointer, mask)
    }

    /// Notes bytes that moved without a callback: what lies in libcurl's own send buffer.
    func noteProgress(now: ContinuousClock.Instant) {
        let bytes = handle.offset(CURLINFO_SIZE_UPLOAD_T) + handle.offset(CURLINFO_SIZE_DOWNLOAD_T)
        if bytes != bytesSeen { touch(now: now) }
        bytesSeen = bytes
    }

    /// Whether the request has begun to leave on a connection.
    var isConnected: Bool { handle.offset(CURLINFO_PRETRANSFER_TIME_T) > 0 }

    /// Lets the idle time begin anew.
    func touch(now: ContinuousClock.Instant) { lastActivity = max(lastActivity, now) }

    private func refuse(_ error: HTTPClientError) -> Bool {
        failure = error
        return false
    }

    private func tooLarge(_ limit: Int) -> HTTPClientError {
        HTTPClientError(.tooLarge, "the answer of \(request.origin) is larger than the \(limit) bytes that are allowed")
    }
}

extension String {
    fileprivate func trimmingLineEnd() -> String {
        var text = utf8[...]
        while let last = text.last, last == 13 || last == 10 || last == 32 || last == 9 { text.removeLast() }
        return String(text) ?? self
    }
}

extension ClientRequest {
    /// Scheme, host and port: what an error may show, since paths and queries can hold secrets.
    var origin: String {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return parts.prefix(3).joined(separator: "/")
    }
}
