import Base
import HTTPClient
import MetadataAPI

/// Where a client command finds the cluster.
struct Cluster: Sendable {
    let metadata: MetadataClient
    let uploaderURL: String
    let transcodeURL: String
    let leaderURL: String
    /// nil where the uploader is not at its default port: the page is anywhere then.
    let webURL: String?
    let http: HTTPClient

    /// Where the embedded roles are.
    static let places = [
        CommandOption(setting: "VSTACK_HOST", "HOST", "").named("host", "Where the cluster runs (default localhost)."),
        CommandOption(setting: "VSTACK_PORT_OFFSET", "N", "").named(
            "port-offset", "As given to 'vstack up' (default 0)."),
    ]

    static let options =
        places + [
            CommandOption(
                setting: "METADATA_SERVICE_URL", "URL", "The metadata service, where it is not at the default port."),
            CommandOption(setting: "UPLOADER_SERVICE_URL", "URL", "The uploader, where it is not at the default port."),
        ]

    /// Of the five storage nodes that 'vstack up' starts unless told otherwise.
    static func storageURLs(_ invocation: Invocation) throws(Failure) -> [String] {
        let (host, offset) = try place(invocation.settings)
        return [8081, 8082, 8083, 8087, 8088].map { "http://\(host):\($0 + offset)" }
    }

    private static func place(_ settings: Settings) throws(Failure) -> (host: String, offset: Int) {
        (
            settings.text("VSTACK_HOST", default: "localhost"),
            try settings.integer("VSTACK_PORT_OFFSET", default: 0, in: 0...57_000)
        )
    }

    init(_ invocation: Invocation) throws(Failure) {
        let settings = invocation.settings
        let (host, offset) = try Self.place(settings)
        http = HTTPClient()
        let metadataURL = try Self.url("METADATA_SERVICE_URL", in: settings, default: "http://\(host):\(8080 + offset)")
        metadata = MetadataClient(metadataURL, http: http)
        uploaderURL = try Self.url("UPLOADER_SERVICE_URL", in: settings, default: "http://\(host):\(8084 + offset)")
        transcodeURL = try Self.url(
            "TRANSCODE_SERVICE_URL", in: settings, default: "http://\(host):\(8002 + offset)")
        leaderURL = try Self.url("LEADER_URL", in: settings, default: "http://\(host):\(3001 + offset)")
        webURL = settings.text("UPLOADER_SERVICE_URL") == nil ? "http://\(host):\(8085 + offset)" : nil
    }

    private static func url(_ name: String, in settings: Settings, default fallback: String) throws(Failure) -> String {
        let url = settings.text(name, default: fallback)
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw Failure(.invalidArgument, "\(name) is '\(url)': it must begin with http:// or https://")
        }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// Runs a command's work with the cluster, and closes the connections after it.
    static func with<R>(_ invocation: Invocation, _ work: (Cluster) async throws -> R) async throws -> R {
        let cluster = try Cluster(invocation)
        defer { cluster.http.shutdown() }
        do { return try await work(cluster) } catch let error as HTTPClientError where error.code == .connection {
            throw Failure(
                .unavailable, "\(error.message); where V-Stack runs elsewhere, --host and --port-offset say so",
                cause: error)
        }
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
