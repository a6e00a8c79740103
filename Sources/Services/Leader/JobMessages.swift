import Base
import Conversions
import Media

/// An optional that is written as `null`, so that who reads a job finds each of its fields.
@propertyWrapper
struct OrNull<Value: Encodable & Sendable>: Encodable, Sendable {
    var wrappedValue: Value?

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue { try container.encode(wrappedValue) } else { try container.encodeNil() }
    }
}

/// A job as clients see it.
struct ConversionJobMessage: Encodable, Sendable {
    let id: String
    let name: String
    let status: ConversionJob.Status
    let inputFile: String
    let outputFile: String
    /// 0 to 100.
    let progress: Double
    let frame: Int
    let fps: Double
    let speed: Double
    @OrNull var etaSec: Double?
    @OrNull var errorMessage: String?
    @OrNull var assignedWorker: String?
    @OrNull var workerLastSeen: Timestamp?
    /// 1 is next; nil for a job that does not wait.
    @OrNull var queuePosition: Int?
    let createdAt: Timestamp
    @OrNull var startTime: Timestamp?
    @OrNull var endTime: Timestamp?
    @OrNull var totalFrames: Int?
    let attempts: Int
    let retried: Bool
    @OrNull var batchId: String?
    let configJson: String

    init(_ job: ConversionJob, queuePosition: Int?) {
        id = job.id
        name = job.name
        status = job.status
        inputFile = job.input
        outputFile = job.output
        progress = (job.progress * 1000).rounded() / 10
        frame = job.frame
        fps = job.framesPerSecond
        speed = job.speed
        etaSec = job.totalFrames.flatMap { total in
            job.status == .processing && job.framesPerSecond > 0
                ? (Double(max(0, total - job.frame)) / job.framesPerSecond).rounded() : nil
        }
        errorMessage = job.errorMessage
        assignedWorker = job.worker
        workerLastSeen = job.workerSeenAt
        self.queuePosition = queuePosition
        createdAt = job.createdAt
        startTime = job.startedAt
        endTime = job.endedAt
        totalFrames = job.totalFrames
        attempts = job.attempt
        retried = job.isRetried
        batchId = job.batch
        configJson = job.options
    }
}

struct StatusCounts: Codable, Sendable {
    let pending: Int
    let processing: Int
    let completed: Int
    let failed: Int
    let cancelled: Int

    init(_ counts: [ConversionJob.Status: Int]) {
        pending = counts[.pending, default: 0]
        processing = counts[.processing, default: 0]
        completed = counts[.completed, default: 0]
        failed = counts[.failed, default: 0]
        cancelled = counts[.cancelled, default: 0]
    }

    init(_ jobs: [ConversionJob]) { self.init(jobs.reduce(into: [:]) { $0[$1.status, default: 0] += 1 }) }
}

struct JobListing: Encodable, Sendable {
    let jobs: [ConversionJobMessage]
    let total: Int
    let counts: StatusCounts
}

/// `POST /api/jobs`
struct CreateJobRequest: Codable, Sendable {
    let inputFile: String
    let outputFile: String?
    let name: String?
    let config: ConversionOptions?
}

/// `POST /api/jobs/start`: many files, one configuration.
struct StartBatchRequest: Codable, Sendable {
    let files: [String]
    /// Where the results go; beside their sources where it is left out.
    let outputFolder: String?
    let config: ConversionOptions?
}

struct BatchMessage: Encodable, Sendable {
    let batchId: String
    let jobs: [ConversionJobMessage]
    let counts: StatusCounts
    /// 0 to 100 over all.
    let progress: Double
    let isOver: Bool
}

/// `PUT /api/jobs`
struct ReorderRequest: Codable, Sendable { let order: [String] }

/// `PATCH /api/jobs/{id}`
struct PatchJobRequest: Codable, Sendable {
    enum Action: String, Codable, Sendable { case cancel, retry }
    let action: Action
}
