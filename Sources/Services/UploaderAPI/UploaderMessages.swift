import Base

/// The states of an upload, in order. Each can become the next, or `failed`; `completed` and `failed` are final.
package enum UploadStatus: String, Codable, Sendable {
    /// Receiving the file (0–10 %).
    case uploading
    /// Looking at it, or waiting for its turn (10–20 %).
    case processing
    /// ffmpeg makes fragments (20–40 %).
    case chunking
    /// The video is entered in the catalog (40–50 %).
    case registering
    /// Chunks go to storage nodes (50–90 %).
    case uploadingChunks = "uploading_chunks"
    /// The manifest is published (90–100 %).
    case finalizing
    case completed, failed
}

/// `POST /upload` answers this with 202 once the whole file is safely on disk.
package struct UploadResponse: Codable, Sendable {
    package let videoId: VideoID
    package let uploadSessionId: String
    package let title: String
    package let status: UploadStatus
    package let message: String
    package let statusUrl: String

    package init(
        videoId: VideoID, uploadSessionId: String, title: String, status: UploadStatus, message: String,
        statusUrl: String
    ) {
        self.videoId = videoId
        self.uploadSessionId = uploadSessionId
        self.title = title
        self.status = status
        self.message = message
        self.statusUrl = statusUrl
    }
}

/// `GET /upload/status/{upload_session_id}`
package struct UploadReport: Codable, Sendable {
    package let videoId: VideoID
    package let title: String
    package let filename: String
    package let status: UploadStatus
    /// Percent, 0 to 100; it never goes back.
    package let progress: Int
    package let startedAt: Timestamp
    package let totalChunks: Int?
    package let error: String?

    package init(
        videoId: VideoID, title: String, filename: String, status: UploadStatus, progress: Int, startedAt: Timestamp,
        totalChunks: Int?, error: String?
    ) {
        self.videoId = videoId
        self.title = title
        self.filename = filename
        self.status = status
        self.progress = progress
        self.startedAt = startedAt
        self.totalChunks = totalChunks
        self.error = error
    }
}

/// A row of `GET /uploads`; also the body of `GET /upload/status/{upload_session_id}`, which ``UploadReport`` reads.
/// What is not known yet is `null`.
package struct UploadEntry: Codable, Sendable {
    package let uploadSessionId: String
    /// Nil until the file is here and known to be a video.
    package let videoId: VideoID?
    package let title: String
    package let filename: String
    package let status: UploadStatus
    /// Percent, 0 to 100; it never goes back.
    package let progress: Int
    package let startedAt: Timestamp
    package let totalChunks: Int?
    package let error: String?

    package init(
        uploadSessionId: String, videoId: VideoID?, title: String, filename: String, status: UploadStatus,
        progress: Int, startedAt: Timestamp, totalChunks: Int?, error: String?
    ) {
        self.uploadSessionId = uploadSessionId
        self.videoId = videoId
        self.title = title
        self.filename = filename
        self.status = status
        self.progress = progress
        self.startedAt = startedAt
        self.totalChunks = totalChunks
        self.error = error
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(uploadSessionId, forKey: .uploadSessionId)
        try container.encode(videoId, forKey: .videoId)
        try container.encode(title, forKey: .title)
        try container.encode(filename, forKey: .filename)
        try container.encode(status, forKey: .status)
        try container.encode(progress, forKey: .progress)
        try container.encode(startedAt, forKey: .startedAt)
        try container.encode(totalChunks, forKey: .totalChunks)
        try container.encode(error, forKey: .error)
    }
}

/// `GET /uploads`: the newest first.
package struct UploadList: Codable, Sendable {
    package let uploads: [UploadEntry]

    package init(uploads: [UploadEntry]) { self.uploads = uploads }
}
