import Base
import HTTPClient
import MetadataAPI

/// Where a client command finds the cluster.
struct Cluster: Sendable {
    let metadata: MetadataClient
    let uploaderURL: String
    let webURL: String
    let http: HTTPClient

    static let options = [
        CommandOption(setting: "VSTACK_HOST", "HOST", "").named("host", "Where the cluster runs (default localhost)."),
        CommandOption(setting: "VSTACK_PORT_OFFSET", "N", "").named(
            "port-offset", "As given to 'vstack up' (default 0)."),
        CommandOption(
            setting: "METADATA_SERVICE_URL", "URL", "The metadata service, where it is not at the default port."),
        CommandOption(setting: "UPLOADER_SERVICE_URL", "URL", "The uploader, where it is not at the default port."),
    ]

    init(_ invocation: Invocation) throws(Failure) {
        let settings = invocation.settings
        let host = settings.text("VSTACK_HOST", default: "localhost")
        let offset = try settings.integer("VSTACK_PORT_OFFSET", default: 0, in: 0...57_000)
        http = HTTPClient()
        metadata = MetadataClient(
            settings.text("METADATA_SERVICE_URL", default: "http://\(host):\(8080 + offset)"), http: http)
        uploaderURL = settings.text("UPLOADER_SERVICE_URL", default: "http://\(host):\(8084 + offset)")
        webURL = "http://\(host):\(8085 + offset)"
    }

    /// Runs a command's work with the cluster, and closes the connections after it.
    static func with<R>(_ invocation: Invocation, _ work: (Cluster) async throws -> R) async throws -> R {
        let cluster = try Cluster(invocation)
        defer { cluster.http.shutdown() }
        return try await work(cluster)
    }
}

extension CommandOption {
    /// The same setting under a flag of another name.
    fileprivate func named(_ name: String, _ help: String) -> CommandOption {
        var copy = CommandOption(name, value, help)
        copy.setting = setting
        return copy
    }
}

extension Invocation {
    /// The operand that names a video.
    func videoID() throws(UsageError) -> VideoID {
        guard let id = VideoID(operands[0]) else {
            throw UsageError("'\(operands[0])' is not a video id (a UUID); 'vstack videos' lists them")
        }
        return id
    }
}
