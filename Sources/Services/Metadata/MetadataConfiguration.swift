import Base

/// What the metadata service is told from outside.
package struct MetadataConfiguration: Sendable {
    /// The catalog's file.
    package let databasePath: String
    /// Seconds without a heartbeat after which a node counts as down.
    package let nodeTimeoutSec: Double
    /// Seconds after which a video that is still uploading, and of which nothing was heard, has failed.
    package let uploadSilenceSec: Double
    /// Seconds after which the storage nodes know of views; everything else they know at once.
    package let journalIntervalSec: Double
    /// Seconds that a follower's lease on a unit lives without being renewed, and attempts that may fail before it does.
    package let leaseSec: Double
    package let attemptsMax: Int
    /// Nodes that are expected to register; those that have not are named in the log.
    package let expectedNodes: [String]
    /// How node URLs are shown to clients.
    package let translation: URLTranslation
    /// What manifests say a chunk is at most, and about.
    package let chunkSizeBytes: Int
    package let chunkDurationSec: Double

    /// Reads `DB_PATH`, `NODE_TIMEOUT`, `UPLOAD_TIMEOUT`, `JOURNAL_INTERVAL`, `LEASE_SECONDS`, `MAX_ATTEMPTS`,
    /// `STORAGE_NODES`, `EXTERNAL_URL_MAP`, `ENABLE_EXTERNAL_TRANSLATION`, `CHUNK_SIZE` and `CHUNK_DURATION`.
    /// - Throws: ``Failure`` that names the setting that is wrong.
    package init(settings: Settings) throws(Failure) {
        databasePath = settings.text("DB_PATH", default: "./data/metadata/metadata.db")
        nodeTimeoutSec = try settings.number("NODE_TIMEOUT", default: 30, in: 0.1...86_400)
        uploadSilenceSec = try settings.number("UPLOAD_TIMEOUT", default: 86_400, in: 3600...31_536_000)
        journalIntervalSec = try settings.number("JOURNAL_INTERVAL", default: 30, in: 0.1...86_400)
        leaseSec = try settings.number("LEASE_SECONDS", default: 30, in: 1...3600)
        attemptsMax = try settings.integer("MAX_ATTEMPTS", default: 3, in: 1...100)
        expectedNodes = settings.list("STORAGE_NODES")
        let isTranslating = try settings.flag("ENABLE_EXTERNAL_TRANSLATION", default: true)
        translation = try URLTranslation(isTranslating ? settings.list("EXTERNAL_URL_MAP") : [])
        chunkSizeBytes = try settings.integer("CHUNK_SIZE", default: 2 * ByteCount.mebibyte, in: 1...Int(Int32.max))
        chunkDurationSec = try settings.number("CHUNK_DURATION", default: 10, in: 0.1...3600)
    }
}

/// Rewrites the URLs under which nodes register into those under which clients outside reach them.
package struct URLTranslation: Sendable {
    private let externalByInternal: [String: String]

    /// - Parameter pairs: each `internal=external`.
    /// - Throws: ``Failure`` that names the pair that is not one.
    init(_ pairs: [String]) throws(Failure) {
        var map: [String: String] = [:]
        for pair in pairs {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let inside = NodeURL(parts[0]), let outside = NodeURL(parts[1]) else {
                throw Failure(
                    .invalidArgument,
                    "EXTERNAL_URL_MAP has '\(pair)': each entry must be internal=external, both http or https URLs")
            }
            map[inside.text] = outside.text
        }
        externalByInternal = map
    }

    func external(_ url: String) -> String { externalByInternal[url] ?? url }
}

/// A node's base URL: `http` or `https`, with a host, without a slash at the end.
struct NodeURL: Hashable {
    static let lengthMax = 2048

    let text: String

    init?(_ text: String) {
        guard text.utf8.count <= Self.lengthMax, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        guard let scheme = ["http://", "https://"].first(where: text.lowercased().hasPrefix) else { return nil }
        var rest = text.dropFirst(scheme.count)
        while rest.hasSuffix("/") { rest.removeLast() }
        guard let host = rest.split(separator: "/", omittingEmptySubsequences: false).first, !host.isEmpty,
            !host.hasPrefix(":"), !rest.contains("?"), !rest.contains("#")
        else { return nil }
        self.text = scheme + rest
    }
}
