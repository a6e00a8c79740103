import Base
import Catalog
import Synchronization

/// Keeps up with other metadata services over the same catalog: what they commit, and what their nodes tell them.
///
/// Nothing here is needed for what is true: whoever decides asks the acceptors, and whoever records does so in a
/// transaction. It is about what this service has in memory: rendered manifests, and how the nodes are.
final class CatalogFollower: Sendable {
    private static let intervalSecMax = 1.0

    private let catalog: any Catalog
    private let registry: NodeRegistry
    private let manifests: ManifestCache
    private let interval: Duration
    private let logger = Logger("metadata-service")
    private let task = Locked<Task<Void, Never>?>(nil)
    /// Held while changes are taken and what they concern is forgotten, so that nobody finds it in between. nil when
    /// there is nothing to follow by.
    private let watch: Locked<(any CatalogWatch)?>

    /// - Parameter nodeTimeoutSec: after how long a node that is not heard of counts as down.
    init(catalog: any Catalog, registry: NodeRegistry, manifests: ManifestCache, nodeTimeoutSec: Double) {
        self.catalog = catalog
        self.registry = registry
        self.manifests = manifests
        interval = .seconds(min(Self.intervalSecMax, nodeTimeoutSec / 4))
        watch = Locked(try? catalog.watch())
    }

    /// Forgets manifests of what anybody has changed. To be called before one is taken from memory.
    /// - Returns: false when that is not known, so that the catalog has to be read.
    func catchUp() -> Bool {
        watch.withLock { watch in
            guard let watch, let changed = try? watch.changedVideos() else { return false }
            for video in changed { manifests.invalidate(video) }
            return true
        }
    }

    /// Begins to follow the nodes; once is enough.
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
        watch.withLock { $0 = nil }
    }

    private func run() async {
        while (try? await Task.sleep(for: interval)) != nil {
            do {
                try await pass()
            } catch {
                logger.warning("the nodes could not be read from the catalog", ["error": "\(error)"])
            }
        }
    }

    /// One look at the nodes.
    func pass() async throws { registry.merge(try await catalog.nodes()) }
}
