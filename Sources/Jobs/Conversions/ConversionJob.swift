import Base

/// A file that is to be converted, and how far that is.
package struct ConversionJob: Codable, Sendable, Hashable {
    package enum Status: String, Codable, Sendable, CaseIterable {
        /// Waiting for a follower. Can become `processing` or `cancelled`.
        case pending
        /// A follower is at it. Can become any other.
        case processing
        /// Final.
        case completed
        /// Can become `pending` when somebody retries it.
        case failed
        /// Can become `pending` when somebody retries it.
        case cancelled

        package var isOver: Bool { self != .pending && self != .processing }
    }

    package let id: String
    package let name: String
    /// Below the media home.
    package let input: String
    package let output: String
    /// The conversion's options, as the client gave them.
    package let options: String
    /// Jobs that were entered together.
    package let batch: String?
    package let createdAt: Timestamp
    package var status = Status.pending
    /// Lower ones first.
    package var position: Int
    /// 0 to 1.
    package var progress = 0.0
    package var frame = 0
    package var framesPerSecond = 0.0
    package var speed = 0.0
    package var totalFrames: Int?
    package var errorMessage: String?
    /// Who is, or was last, at it.
    package var worker: String?
    package var workerSeenAt: Timestamp?
    package var startedAt: Timestamp?
    package var endedAt: Timestamp?
    /// Number of the newest attempt; it only grows. What an older one says counts for nothing.
    package var attempt = 0
    /// Attempts that failed since the job was entered or retried.
    package var failures = 0
    package var isRetried = false
    /// The attempt's result is being given its name.
    package var isPublishing = false

    package init(
        id: String, name: String, input: String, output: String, options: String, batch: String? = nil, position: Int,
        createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.input = input
        self.output = output
        self.options = options
        self.batch = batch
        self.position = position
        self.createdAt = createdAt
    }
}
