import Base
import Foundation
import HTTPTypes
import Jobs
import TemporaryStorage

/// `GET /worker/status`. Its keys are in camel case, as those who read it have them.
struct WorkerStatus: Encodable {
    struct ActiveJob: Encodable {
        let jobId: String
        let unit: Int
        let token: Int
        let rungs: [String]
        let progress: Double
        let frame: Int
        let fps: Double
        let speed: Double
    }

    let workerId: String
    let busy: Bool
    let activeJobs: [ActiveJob]

    init(_ id: FollowerID, _ work: CurrentWork?) {
        workerId = id.description
        busy = work != nil
        activeJobs =
            work.map { work in
                [
                    ActiveJob(
                        jobId: work.unit.video.description, unit: work.unit.number, token: work.token.number,
                        rungs: work.rungs.map(\.description), progress: (work.progress.fraction * 1000).rounded() / 10,
                        frame: work.progress.frame, fps: work.progress.framesPerSecond, speed: work.progress.speed)
                ]
            } ?? []
    }

    var response: Response { get throws { try camelCase(self) } }
}

/// `GET /worker/system-status`
struct SystemStatus: Encodable {
    let cpuCount: Int
    let loadAverage: [Double]
    let memoryTotalBytes: UInt64
    let scratchFreeBytes: Int
    let uptimeSec: Double

    init(folder: String) {
        var load = [0.0, 0.0, 0.0]
        getloadavg(&load, 3)
        cpuCount = ProcessInfo.processInfo.activeProcessorCount
        loadAverage = load
        memoryTotalBytes = ProcessInfo.processInfo.physicalMemory
        scratchFreeBytes = TemporarySpace.freeBytes(folder)
        uptimeSec = ProcessInfo.processInfo.systemUptime.rounded()
    }

    var response: Response { get throws { try camelCase(self) } }
}

private func camelCase(_ value: some Encodable) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Response(
        .ok, headers: ["Content-Type": "application/json"], body: .bytes([UInt8](try encoder.encode(value))))
}
