import Base
import ChunkDelivery
import ConversionAPI
import HTTPClient
import HTTPTypes
import Hosting
import Jobs
import SmartClient
import TranscoderAPI

/// A follower (3002 …): asks the transcoding service for units, encodes them, stores what it made and says so. It needs
/// no disk that others have, and keeps nothing between units.
package final class FollowerService: Service {
    package let name = "follower"
    package let metrics = Metrics()
    package let errorKey: String? = "error"

    private let configuration: FollowerConfiguration
    private let gate: SharedTokenGate
    private let worker: Worker
    private let converter: Converter

    /// Takes the scratch folder, and removes what an earlier run has left there.
    /// - Throws: ``Failure`` when the folder cannot be used.
    package init(configuration: FollowerConfiguration, http: HTTPClient) throws {
        self.configuration = configuration
        gate = SharedTokenGate(configuration.token)
        let slot = WorkSlot()
        let fleet = FleetClient(configuration.transcodeURL ?? "", token: configuration.token, http: http)
        worker = try Worker(configuration: configuration, fleet: fleet, slot: slot, http: http)
        converter = try Converter(configuration: configuration, slot: slot, http: http)
        let worker = worker
        metrics.counter("vstack_follower_units_total", "Units that were accepted.") { worker.acceptedCount.value }
        metrics.counter("vstack_follower_failures_total", "Units that could not be done.") { worker.failedCount.value }
    }

    package func health() async -> HealthReport {
        HealthReport(
            status: "healthy",
            fields: [
                "follower_id": .text(configuration.id.description),
                "busy": .flag(worker.current != nil || converter.current != nil),
                "transcode_service_url": .text(configuration.transcodeURL ?? ""),
                "converts_files": .flag(configuration.mediaHome != nil),
            ])
    }

    package func start(url: String) async throws {
        if configuration.transcodeURL != nil { worker.start() }
    }

    /// Gives back what is under way: another follower goes on sooner than this one could finish.
    package func stop() async {
        async let units: Void = worker.stop()
        await converter.stop()
        await units
    }

    package func addRoutes(to router: inout Router) {
        router.add(.get, "/worker/status", "What the follower is at") { [self] view in
            try check(view)
            return .respond(try WorkerStatus(configuration.id, worker.current, converter.current).response)
        }
        router.add(.get, "/worker/system-status", "The follower's machine") { [self] view in
            try check(view)
            return .respond(try camelCaseResponse(MachineStatus(folder: configuration.scratchFolder)))
        }
        router.add(.post, "/worker/execute", "Convert a file for a leader") { [self] view in
            let request = view.snapshot()
            return .body(limit: 256 * ByteCount.kibibyte) { [self] bytes in
                try gate.check(request.header(SharedToken.header), body: bytes)
                let order = try JSON.decode(ExecuteRequest.self, from: bytes)
                try converter.begin(order)
                return try .json(["status": "accepted", "jobId": order.jobId], status: .accepted)
            }
        }
        router.add(.post, "/worker/cancel/{job_id}", "Give back the unit of a video, or a file") { [self] view in
            let request = view.snapshot()
            return .body(limit: ByteCount.kibibyte) { [self] bytes in
                try gate.check(request.header(SharedToken.header), body: bytes)
                let id = request.parameters["job_id"]
                guard worker.cancel(id) || converter.cancel(id) else {
                    throw Failure(.notFound, "nothing of job '\(id.prefix(80))' is under way")
                }
                return try .json(["status": "cancelled"])
            }
        }
    }

    private func check(_ view: any RequestView) throws(Failure) {
        try gate.check(view.header(SharedToken.header), body: [])
    }
}
