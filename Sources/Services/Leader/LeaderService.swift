import Base
import ConversionAPI
import Conversions
import Dispatch
import Foundation
import HTTPClient
import HTTPTypes
import Hosting
import Media
import TranscoderAPI

/// The leader (3001): a queue of files to convert, which it gives to followers that share the media home with it.
package final class LeaderService: Service {
    package let name = "leader"
    package let metrics = Metrics()
    package let errorKey: String? = "error"

    let queue: ConversionQueue
    let fleet: Fleet
    let webhooks: Webhooks
    let browser: FileBrowser
    let gate: SharedTokenGate
    let hub = EventHub()
    let mediaHome: MediaHome
    private let disk = DispatchQueue(label: "leader.files", attributes: .concurrent)

    /// Reads the jobs that an earlier run has kept.
    /// - Throws: ``Failure`` when the media home or the jobs' folder cannot be used.
    package init(configuration: LeaderConfiguration, http: HTTPClient) throws {
        mediaHome = try MediaHome(configuration.mediaHome, isMade: true)
        webhooks = Webhooks(configuration.webhookURLs, http: http)
        queue = ConversionQueue(
            policy: configuration.policy, home: mediaHome, store: try JobStore(folder: configuration.dataFolder),
            hub: hub,
            webhooks: webhooks)
        fleet = Fleet(
            urls: configuration.followerURLs, ownURL: configuration.ownURL, queue: queue,
            requests: SignedRequests(configuration.token, http: http))
        browser = FileBrowser(home: mediaHome)
        gate = SharedTokenGate(configuration.token)
        let (queue, fleet) = (queue, fleet)
        metrics.gauge("vstack_leader_jobs_pending", "Jobs that wait.") { Double(queue.counts.pending) }
        metrics.gauge("vstack_leader_jobs_processing", "Jobs that followers are at.") {
            Double(queue.counts.processing)
        }
        metrics.gauge("vstack_leader_followers_healthy", "Followers that answer.") { Double(fleet.healthyCount) }
    }

    package func health() async -> HealthReport {
        let counts = queue.counts
        let followers = fleet.listing.followers
        return HealthReport(
            status: "healthy",
            fields: [
                "followers": .integer(followers.count), "followers_healthy": .integer(fleet.healthyCount),
                "jobs_pending": .integer(counts.pending), "jobs_processing": .integer(counts.processing),
            ])
    }

    package func start(url: String) async throws {
        try await queue.recover()
        fleet.start(url: url)
    }

    package func endStreams() { hub.end() }

    package func stop() async { await fleet.stop() }

    package func addRoutes(to router: inout Router) {
        router.add(.get, "/", "") { _ in .respond(Response(HTTPStatus(302), headers: ["Location": "/docs"])) }
        addFileRoutes(to: &router)
        addJobRoutes(to: &router)
        addBatchRoutes(to: &router)
        addSettingsRoutes(to: &router)
        addEventRoutes(to: &router)
    }

    private func addFileRoutes(to router: inout Router) {
        router.task(.get, "/api/files", "A folder of the media home (path), or what is below it (search)") {
            [browser, disk] request in
            let (path, search) = (request.query("path") ?? "", request.query("search") ?? "")
            return try await withCheckedThrowingContinuation { continuation in
                disk.async {
                    continuation.resume(
                        with: Result { try .json(try browser.list(path, search: search.isEmpty ? nil : search)) })
                }
            }
        }
    }

    private func addSettingsRoutes(to router: inout Router) {
        router.task(.get, "/api/settings", "The version, and what ffmpeg can do here") { _ in
            try .json(SettingsMessage(ffmpeg: try await FFmpegCapabilities.examine()))
        }
        router.task(.get, "/api/settings/followers", "How every follower is") { [fleet] _ in try .json(fleet.listing) }
        router.task(.post, "/api/settings/followers/retry", "Ask every follower now how it is") { [fleet] _ in
            await fleet.look()
            return try .json(fleet.listing)
        }
        router.task(.get, "/api/settings/system-status", "The leader's machine and the followers'") {
            [fleet, mediaHome] _ in
            try camelCaseResponse(
                SystemStatusMessage(leader: MachineStatus(folder: mediaHome.folder), followers: await fleet.machines()))
        }
        router.task(.get, "/api/notifications/status", "How many webhooks there are, and how they take what is sent") {
            [webhooks] _ in try .json(webhooks.status)
        }
        router.task(.post, "/api/notifications/test", "Send every webhook a notice of no job") { [webhooks] _ in
            try await webhooks.test()
            return try .json(["status": "sent"])
        }
    }

    private func addEventRoutes(to router: inout Router) {
        router.task(.get, "/api/events", "What happens, as server-sent events") { [hub, queue, fleet] _ in
            func event(_ name: String, _ value: some Encodable) throws -> ServerSentEvent {
                ServerSentEvent(name: name, data: String(decoding: try JSON.encode(value), as: UTF8.self))
            }
            return try hub.listen([
                try event("job:status-counts", queue.counts), try event("followers:status", fleet.listing),
            ])
        }
        router.add(.post, "/api/jobs/{id}/progress", "A follower says how it goes") { [gate, queue] view in
            let request = view.snapshot()
            return .body(limit: 64 * ByteCount.kibibyte) { body in
                try gate.check(request.header(SharedToken.header), body: body)
                let report = try JSON.decode(ConversionReport.self, from: body)
                return try .json(
                    ConversionReportAnswer(isHeld: try await queue.take(report, of: request.parameters["id"])))
            }
        }
    }

    private struct SettingsMessage: Encodable {
        let version = Version.current
        let ffmpeg: FFmpegCapabilities
        let containers = ConversionOptions.Container.allCases
        let rateControls = ConversionOptions.RateControl.allCases
    }

    private struct SystemStatusMessage: Encodable {
        let leader: MachineStatus
        let followers: [String: MachineStatus]
    }
}
