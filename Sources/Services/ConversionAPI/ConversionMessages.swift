import Base
import Media

/// `POST /worker/execute`: a follower is to convert a file.
package struct ExecuteRequest: Codable, Sendable {
    package let jobId: String
    /// What tells this attempt from all others.
    package let attempt: Int
    /// Both below the media home, which leader and followers share.
    package let inputFile: String
    /// Where the result goes; the leader gives it its name.
    package let temporaryFile: String
    package let config: ConversionOptions
    /// Whom to tell how it goes.
    package let leaderUrl: String
    /// How long the leader waits for word.
    package let leaseSec: Double

    package init(
        jobId: String, attempt: Int, inputFile: String, temporaryFile: String, config: ConversionOptions,
        leaderUrl: String, leaseSec: Double
    ) {
        self.jobId = jobId
        self.attempt = attempt
        self.inputFile = inputFile
        self.temporaryFile = temporaryFile
        self.config = config
        self.leaderUrl = leaderUrl
        self.leaseSec = leaseSec
    }
}

/// `POST /api/jobs/{id}/progress`: a follower tells the leader how it goes.
package struct ConversionReport: Codable, Sendable {
    package enum State: String, Codable, Sendable {
        case processing, completed, failed
        /// Given back: the follower stops.
        case released
    }

    package let workerId: String
    package let attempt: Int
    package let state: State
    /// 0 to 100.
    package var progress: Double
    package var frame: Int
    package var fps: Double
    package var speed: Double
    package var totalFrames: Int?
    package var error: String?
    /// Whether another attempt would end the same.
    package var isFinal: Bool?

    package init(workerId: String, attempt: Int, state: State) {
        self.workerId = workerId
        self.attempt = attempt
        self.state = state
        progress = 0
        frame = 0
        fps = 0
        speed = 0
    }
}

/// Whether the attempt still counts. What has ended otherwise is given up, with its temporary file.
package struct ConversionReportAnswer: Codable, Sendable {
    package let isHeld: Bool

    package init(isHeld: Bool) { self.isHeld = isHeld }
}

/// `GET /worker/status`, as far as the leader reads it. The keys are in camel case.
package struct WorkerReport: Codable, Sendable {
    package struct ActiveJob: Codable, Sendable {
        package let jobId: String
    }

    package let workerId: String
    package let busy: Bool
    package let activeJobs: [ActiveJob]
}
