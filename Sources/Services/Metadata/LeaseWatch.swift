import Base
import Catalog
import Jobs
import Synchronization

/// Ends leases of followers that are not heard of, also while nobody asks for work.
final class LeaseWatch: Sendable {
    private let catalog: any Catalog
    private let policy: JobPolicy
    private let time: any TimeSource
    private let logger = Logger("metadata-service")
    private let task = Locked<Task<Void, Never>?>(nil)

    init(catalog: any Catalog, policy: JobPolicy, time: any TimeSource) {
        self.catalog = catalog
        self.policy = policy
        self.time = time
    }

    /// Begins; once is enough.
    func start() {
        task.withLock { task in
            guard task == nil else { return }
            task = Task { await run() }
        }
    }

    func stop() async {
        let task = task.withLock { $0 }
        task?.cancel()
        await task?.value
    }

    private func run() async {
        // The first look is a whole lease after the start: while the service was away nobody could renew.
        while (try? await Task.sleep(for: .seconds(policy.leaseSec))) != nil {
            do {
                try await catalog.sweepLeases(policy, at: time.now())
            } catch {
                logger.warning("leases could not be looked through", ["error": "\(error)"])
            }
        }
    }
}
