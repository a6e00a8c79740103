import Base
import ConversionAPI
import HTTPTypes
import Jobs
import Media

/// `GET /worker/status`. Its keys are in camel case, as those who read it have them.
struct WorkerStatus: Encodable {
    struct ActiveJob: Encodable {
        let jobId: String
        /// nil for a file.
        let unit: Int?
        /// Of the attempt.
        let token: Int
        let rungs: [String]
        /// nil for a unit of a video.
        let inputFile: String?
        let progress: Double
        let frame: Int
        let fps: Double
        let speed: Double

        init(_ work: CurrentWork) {
            jobId = work.unit.video.description
            unit = work.unit.number
            token = work.token.number
            rungs = work.rungs.map(\.description)
            inputFile = nil
            progress = (work.progress.fraction * 1000).rounded() / 10
            (frame, fps, speed) = (work.progress.frame, work.progress.framesPerSecond, work.progress.speed)
        }

        init(_ work: Converter.Current) {
            jobId = work.request.jobId
            unit = nil
            token = work.request.attempt
            rungs = []
            inputFile = work.request.inputFile
            progress = (work.progress.fraction * 1000).rounded() / 10
            (frame, fps, speed) = (work.progress.frame, work.progress.framesPerSecond, work.progress.speed)
        }
    }

    let workerId: String
    let busy: Bool
    let activeJobs: [ActiveJob]

    init(_ id: FollowerID, _ work: CurrentWork?, _ conversion: Converter.Current?) {
        workerId = id.description
        activeJobs = (work.map { [ActiveJob($0)] } ?? []) + (conversion.map { [ActiveJob($0)] } ?? [])
        busy = !activeJobs.isEmpty
    }

    var response: Response { get throws { try camelCaseResponse(self) } }
}
