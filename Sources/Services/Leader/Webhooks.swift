import Base
import HTTPClient
import HTTPTypes
import Synchronization

/// Tells other systems, by a POST of JSON, what became of a job. Each address is tried a few times.
final class Webhooks: Sendable {
    struct Status: Encodable, Sendable {
        let configured: Bool
        let webhookCount: Int
        let sent: Int
        let failed: Int
        let lastError: String?
    }

    private struct Counts {
        var sent = 0
        var failed = 0
        var lastError: String?
        var underWay = 0
    }

    private struct Notice<Body: Encodable & Sendable>: Encodable, Sendable {
        let event: String
        let time: Timestamp
        let job: Body?
    }

    private static let pauses: [Duration] = [.seconds(1), .seconds(5)]
    private static let timeout = Duration.seconds(10)
    /// Notices under way; more are dropped, and counted as failed.
    private static let underWayMax = 64

    private let urls: [String]
    private let http: HTTPClient
    private let counts = Locked(Counts())

    init(_ urls: [String], http: HTTPClient) {
        self.urls = urls
        self.http = http
    }

    var status: Status {
        counts.withLock {
            Status(
                configured: !urls.isEmpty, webhookCount: urls.count, sent: $0.sent, failed: $0.failed,
                lastError: $0.lastError)
        }
    }

    /// Does not wait for it.
    func tell(_ event: String, _ job: some Encodable & Sendable) {
        let notice = Notice(event: event, time: SystemTime().now(), job: job)
        for url in urls { Task { await send(notice, to: url, pauses: Self.pauses) } }
    }

    /// Sends a notice of no job to every address, once.
    /// - Throws: ``Failure`` when none is configured or one does not take it.
    func test() async throws {
        guard !urls.isEmpty else { throw Failure(.conflict, "no webhook is configured: set WEBHOOK_URLS") }
        let notice = Notice<String>(event: "test", time: SystemTime().now(), job: nil)
        for url in urls where await !send(notice, to: url, pauses: []) {
            throw Failure(.unavailable, "a webhook failed: \(status.lastError ?? "it does not say why")")
        }
    }

    @discardableResult
    private func send(_ notice: some Encodable & Sendable, to url: String, pauses: [Duration]) async -> Bool {
        let mayBegin = counts.withLock { counts in
            guard counts.underWay < Self.underWayMax else {
                counts.failed += 1
                counts.lastError = "too many notices were under way"
                return false
            }
            counts.underWay += 1
            return true
        }
        guard mayBegin else { return false }
        defer { counts.withLock { $0.underWay -= 1 } }
        var error = await attempt(notice, url)
        for pause in pauses {
            guard error != nil, (try? await Task.sleep(for: pause)) != nil else { break }
            error = await attempt(notice, url)
        }
        counts.withLock { counts in
            if let error {
                counts.failed += 1
                counts.lastError = error
            } else {
                counts.sent += 1
            }
        }
        return error == nil
    }

    /// - Returns: why it was not taken. An address may hold a secret, so it is not in it.
    private func attempt(_ notice: some Encodable, _ url: String) async -> String? {
        do {
            var request = try ClientRequest.json(.post, url, notice)
            request.totalTimeout = Self.timeout
            let status = try await http.send(request).status
            return status.isSuccess ? nil : "it answered \(status)"
        } catch {
            return "it could not be reached"
        }
    }
}
