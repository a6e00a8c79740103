import Base
import HTTPClient
import HTTPTypes
import MetadataAPI

/// Where nodes register: the metadata service.
protocol NodeRegistry: Sendable {
    func register(_ request: RegisterNodeRequest) async throws
    /// - Throws: ``HTTPClientError`` of status 404 when the service does not know the node.
    func heartbeat(_ node: NodeID, _ request: HeartbeatRequest) async throws
}

extension MetadataClient: NodeRegistry {}

/// When to register, when to send a heartbeat, and how long to wait in between.
///
/// `register` can become `heartbeat` (the service took it); `heartbeat` can become `register` (the service does not
/// know the node any more, or was away and may have forgotten it).
struct RegistrationPlan: Equatable {
    enum Step: Equatable {
        case register, heartbeat
    }

    private static let retrySecondsMin = 0.5

    private(set) var step = Step.register
    /// Failures in a row.
    private(set) var failures = 0
    private let intervalSeconds: Double

    init(intervalSeconds: Double) { self.intervalSeconds = intervalSeconds }

    /// - Parameter jitter: 0 to 1, so that nodes that started together do not call together.
    /// - Returns: seconds until the next step.
    mutating func onSuccess(jitter: Double) -> Double {
        failures = 0
        defer { step = .heartbeat }
        return step == .register ? 0 : intervalSeconds * (0.9 + 0.2 * jitter)
    }

    /// The step failed: the service is away, or said no.
    mutating func onFailure(isUnknown: Bool, jitter: Double) -> Double {
        let wasKnown = step == .heartbeat
        step = .register
        // A service that answers and only does not know us is told at once; if that fails too, it waits.
        if isUnknown, wasKnown, failures == 0 {
            failures = 1
            return 0
        }
        failures += 1
        let delay = min(Self.retrySecondsMin * Double(1 << min(failures - 1, 10)), intervalSeconds)
        return delay * (0.5 + 0.5 * jitter)
    }
}

/// Carries the plan out for as long as the node lives.
struct Registration: Sendable {
    let registry: any NodeRegistry
    let request: RegisterNodeRequest
    let intervalSeconds: Double
    let heartbeat: @Sendable () async -> HeartbeatRequest

    private static let log = Logger("storage-node")

    init(
        registry: any NodeRegistry, request: RegisterNodeRequest, intervalSeconds: Double,
        heartbeat: @escaping @Sendable () async -> HeartbeatRequest
    ) {
        self.registry = registry
        self.request = request
        self.intervalSeconds = intervalSeconds
        self.heartbeat = heartbeat
    }

    /// Returns when its task is cancelled.
    func run() async {
        var plan = RegistrationPlan(intervalSeconds: intervalSeconds)
        while !Task.isCancelled {
            let delay: Double
            do {
                try await perform(plan.step)
                if plan.failures > 0 || plan.step == .register { noteSuccess(plan.step) }
                delay = plan.onSuccess(jitter: .random(in: 0...1))
            } catch {
                if plan.failures == 0 { noteFailure(error) }
                delay = plan.onFailure(isUnknown: Self.isUnknown(error), jitter: .random(in: 0...1))
            }
            try? await Task.sleep(for: .seconds(delay))
        }
    }

    private func perform(_ step: RegistrationPlan.Step) async throws {
        switch step {
        case .register: try await registry.register(request)
        case .heartbeat: try await registry.heartbeat(request.nodeId, await heartbeat())
        }
    }

    private static func isUnknown(_ error: any Error) -> Bool {
        (error as? HTTPClientError)?.code == .status(.notFound)
    }

    private func noteSuccess(_ step: RegistrationPlan.Step) {
        guard step == .register else { return }
        Self.log.info(
            "registered with the metadata service", ["node": request.nodeId.description, "url": request.nodeUrl])
    }

    private func noteFailure(_ error: any Error) {
        guard !Task.isCancelled else { return }
        Self.log.warning("the metadata service does not answer; trying again", ["error": "\(error)"])
    }
}
