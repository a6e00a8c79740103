import Base
import Jobs

/// `POST /transcode/start`
package struct TranscodeRequest: Codable, Sendable {
    package let uploadId: VideoID
    package let filename: String?
    /// Megabits per second of those who watch.
    package let networkSpeed: Double?
    package let qualities: [String]?
}

/// The answer to it.
package struct TranscodeStarted: Codable, Sendable {
    package let status: String
    package let uploadId: String

    package init(_ video: VideoID) {
        status = "started"
        uploadId = video.compact
    }
}

/// `GET /transcode/status/{id}`
package struct TranscodeStatus: Codable, Sendable {
    package struct Quality: Codable, Sendable {
        package let status: JobReport.Status
        /// 0 to 100.
        package let progress: Int
        /// nil before there is anything to play.
        package let playlist: String?
        package let targetResolution: String?
        package let startedAt: Timestamp?
        package let finishedAt: Timestamp?
        package let message: String?

        package init(
            status: JobReport.Status, progress: Int, playlist: String?, targetResolution: String?,
            startedAt: Timestamp?, finishedAt: Timestamp?, message: String?
        ) {
            self.status = status
            self.progress = progress
            self.playlist = playlist
            self.targetResolution = targetResolution
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.message = message
        }
    }

    package let uploadId: String
    package let filename: String?
    package let overall: JobReport.Status
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp?
    package let originalResolution: String?
    package let originalQualityLabel: String?
    package let masterPlaylist: String
    package let qualities: [String: Quality]

    package init(
        uploadId: String, filename: String?, overall: JobReport.Status, startedAt: Timestamp?, finishedAt: Timestamp?,
        originalResolution: String?, originalQualityLabel: String?, masterPlaylist: String, qualities: [String: Quality]
    ) {
        self.uploadId = uploadId
        self.filename = filename
        self.overall = overall
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.originalResolution = originalResolution
        self.originalQualityLabel = originalQualityLabel
        self.masterPlaylist = masterPlaylist
        self.qualities = qualities
    }
}

/// `GET /transcode/explain/{id}`
package struct TranscodeExplanation: Codable, Sendable {
    package let uploadId: String
    package let overall: JobReport.Status
    /// Sentences.
    package let explanation: [String]

    package init(uploadId: String, overall: JobReport.Status, explanation: [String]) {
        self.uploadId = uploadId
        self.overall = overall
        self.explanation = explanation
    }
}

/// `POST /transcode/resume`
package struct TranscodeResumed: Codable, Sendable {
    package let status: String
    package let resumedCount: Int

    package init(resumedCount: Int) {
        status = "completed"
        self.resumedCount = resumedCount
    }
}
