import Base
import Foundation
import HTTPClient
import HTTPTypes
import UploaderAPI

extension Command {
    static let upload = Command(
        name: "upload", summary: "Upload a video file and wait until it plays.", operands: ["FILE"],
        options: [CommandOption("title", "TITLE", "What it is called (default the file's name).")] + Cluster.options,
        discussion: "Prints the video's id and where to watch it. Exit code 1 when the upload fails, with the reason."
    ) { invocation in
        try await Cluster.with(invocation) { cluster in
            let file = try FileReader(invocation.operands[0])
            let title = invocation.flag("title") ?? file.name
            let progress = Progress()
            let answer = try await send(file, title: title, to: cluster, progress)
            let report = try await follow(answer, on: cluster, progress)
            progress.finish()
            guard report.status == .completed else {
                throw Failure(.invalidArgument, "the upload failed: \(report.error ?? "the service does not say why")")
            }
            Output.line("\(answer.videoId)")
            if let webURL = cluster.webURL { Output.line("watch it at \(webURL)/#/watch/\(answer.videoId)") }
            return 0
        }
    }

    private static func send(_ file: FileReader, title: String, to cluster: Cluster, _ progress: Progress) async throws
        -> UploadResponse
    {
        var request = ClientRequest(.post, "\(cluster.uploaderURL)/upload")
        let boundary = "vstack-\(UUID().uuidString)"
        let quotedName = file.name.replacing("\"", with: "%22").replacing("\r", with: "%0D").replacing(
            "\n", with: "%0A")
        let head = Array(
            """
            --\(boundary)\r
            Content-Disposition: form-data; name="title"\r
            \r
            \(title)\r
            --\(boundary)\r
            Content-Disposition: form-data; name="video"; filename="\(quotedName)"\r
            Content-Type: application/octet-stream\r
            \r

            """.utf8)
        let tail = Array("\r\n--\(boundary)--\r\n".utf8)
        request.headers["Content-Type"] = "multipart/form-data; boundary=\(boundary)"
        request.totalTimeout = nil
        request.idleTimeout = .seconds(120)
        let body = MultipartBody(head: head, file: file, tail: tail) { sent in
            let detail = "\(ByteCount.text(sent)) of \(ByteCount.text(file.sizeBytes))"
            progress.show("uploading", file.sizeBytes == 0 ? 1 : Double(sent) / Double(file.sizeBytes), detail)
        }
        request.body = .stream(length: head.count + file.sizeBytes + tail.count, ByteSource { try await body.next() })
        return try await cluster.http.send(request).decoded(as: UploadResponse.self)
    }

    private static func follow(_ upload: UploadResponse, on cluster: Cluster, _ progress: Progress) async throws
        -> UploadReport
    {
        while true {
            let url = cluster.uploaderURL + upload.statusUrl
            let report = try await cluster.http.send(.get(url)).decoded(as: UploadReport.self)
            progress.show(report.status.rawValue.replacing("_", with: " "), Double(report.progress) / 100)
            if report.status == .completed || report.status == .failed { return report }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// The body of a form with one file: what stands before it, the file, what stands after.
private actor MultipartBody {
    private static let pieceBytes = 1 * ByteCount.mebibyte

    private enum Part { case head, file, end }

    private let head: [UInt8]
    private let file: FileReader
    private let tail: [UInt8]
    private let onProgress: @Sendable (Int) -> Void
    private var part = Part.head
    private var sent = 0

    init(head: [UInt8], file: FileReader, tail: [UInt8], onProgress: @escaping @Sendable (Int) -> Void) {
        self.head = head
        self.file = file
        self.tail = tail
        self.onProgress = onProgress
    }

    func next() async throws -> [UInt8]? {
        switch part {
        case .head:
            part = .file
            return head
        case .file:
            let piece = try await file.read(at: sent, count: Self.pieceBytes)
            sent += piece.count
            onProgress(sent)
            if !piece.isEmpty { return piece }
            part = .end
            return tail
        case .end: return nil
        }
    }
}

/// Reads a file on a queue of its own, so that a slow disk holds up nothing else.
private final class FileReader: Sendable {
    let name: String
    let sizeBytes: Int
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "upload.file")

    init(_ path: String) throws(Failure) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.notFound, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        fstat(descriptor, &status)
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Failure(.invalidArgument, "\(path) is not a file")
        }
        name = URL(filePath: path).lastPathComponent
        sizeBytes = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Bytes at the offset; fewer at the end, none after it.
    func read(at offset: Int, count: Int) async throws -> [UInt8] {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                var result = 0
                let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                    result = pread(descriptor, buffer.baseAddress, count, off_t(offset))
                    filled = max(result, 0)
                }
                if result >= 0 {
                    continuation.resume(returning: bytes)
                } else {
                    continuation.resume(throwing: Failure(.internal, "\(name) cannot be read any further"))
                }
            }
        }
    }
}
