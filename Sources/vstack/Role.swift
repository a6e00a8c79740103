import Admin
import Base
import Follower
import HTTPClient
import HTTPServer
import Hosting
import Leader
import Library
import Metadata
import StorageNode
import Streaming
import Transcoder
import Uploader
import WebSite

/// A service that can run in a process of its own.
struct Role: Sendable {
    let name: String
    let summary: String
    let defaultPort: Int
    /// The settings it reads, beside those every role has.
    let options: [CommandOption]
    let make: @Sendable (Settings, HTTPClient) throws -> any Service

    static let all: [Role] = [
        .metadata, .storage, .uploader, .transcode, .follower, .leader, .stream, .library, .admin, .web,
    ]

    static let metadata = Role(
        name: "metadata", summary: "Metadata service: videos, chunks, nodes, consensus (8080).", defaultPort: 8080,
        options: [
            CommandOption(setting: "DB_PATH", "FILE", "The catalog (default ./data/metadata/metadata.db)."),
            CommandOption(setting: "NODE_TIMEOUT", "SECONDS", "Silence after which a node is down (default 30)."),
            CommandOption(setting: "UPLOAD_TIMEOUT", "SECONDS", "Silence after which an upload fails (default 86400)."),
            CommandOption(setting: "JOURNAL_INTERVAL", "SECONDS", "Until views are on the storage nodes (default 30)."),
            CommandOption(
                setting: "LEASE_SECONDS", "SECONDS", "Silence after which a unit goes to another (default 30)."),
            CommandOption(setting: "MAX_ATTEMPTS", "N", "Attempts at a unit before it fails (default 3)."),
            CommandOption(setting: "EXTERNAL_URL_MAP", "MAP", "internal=external,… for node URLs in manifests."),
            CommandOption(setting: "ENABLE_EXTERNAL_TRANSLATION", "BOOL", "false turns that map off (default true)."),
            CommandOption(setting: "STORAGE_NODES", "URLS", "Nodes to expect; those that stay away are logged."),
            CommandOption(setting: "CHUNK_SIZE", "BYTES", "The chunk size manifests state (default 2097152)."),
            CommandOption(setting: "CHUNK_DURATION", "SECONDS", "The chunk length manifests state (default 10)."),
        ]
    ) { settings, http in
        try MetadataService(configuration: MetadataConfiguration(settings: settings), http: http)
    }

    static let storage = Role(
        name: "storage", summary: "Storage node: keeps chunks, votes on them (8081).", defaultPort: 8081,
        options: [
            CommandOption(setting: "NODE_ID", "NAME", "The node's name (default storage-node-1)."),
            CommandOption(setting: "NODE_URL", "URL", "Where others reach it (default its own port on localhost)."),
            CommandOption(setting: "NODE_ZONE", "NAME", "What fails together with it, such as a rack."),
            CommandOption(setting: "DATA_DIR", "DIR", "Where the chunks are kept (default ./data/storage1)."),
            metadataURL,
            CommandOption(setting: "HEARTBEAT_INTERVAL", "SECONDS", "Time between heartbeats (default 10)."),
            CommandOption(setting: "MAX_CHUNK_SIZE", "BYTES", "Largest chunk taken (default 2097152)."),
            CommandOption(setting: "MAX_SUPERBLOCK_SIZE", "BYTES", "Size of a superblock file (default 1 GiB)."),
            CommandOption(setting: "MAX_SUPERBLOCK_SIZE_MB", "MIB", "The same in MiB, where the bytes are not given."),
            CommandOption(
                setting: "COMPACTION_LIVE_PERCENT", "PERCENT",
                "A superblock of which less is needed gives its space back (default 50)."),
            CommandOption(
                setting: "COMPACTION_BYTES_PER_SEC", "BYTES", "How fast compaction copies (default 32 MiB)."),
            CommandOption(setting: "DISK_WARNING_PERCENT", "N", "Disk usage from which /health warns (default 85)."),
            CommandOption(setting: "DISK_CRITICAL_PERCENT", "N", "Disk usage that refuses writes (default 95)."),
            CommandOption(
                setting: "SCRUB_BYTES_PER_SEC", "BYTES",
                "How fast what is stored is verified; 0: only when asked to (default 16 MiB)."),
            CommandOption(
                setting: "SCRUB_INTERVAL", "SECONDS", "From one verification's beginning to the next's (default 86400)."
            ),
        ]
    ) { settings, http in
        try StorageNodeService(configuration: StorageNodeConfiguration(settings: settings), http: http)
    }

    static let uploader = Role(
        name: "uploader", summary: "Uploader: takes videos in and chunks them (8084).", defaultPort: 8084,
        options: [
            metadataURL,
            CommandOption(setting: "TEMP_DIR", "DIR", "Where uploads rest while they are worked on (./data/uploads)."),
            CommandOption(setting: "CHUNK_SIZE", "BYTES", "Largest chunk made (default 2097152)."),
            CommandOption(setting: "CHUNK_DURATION", "SECONDS", "Playing time of a chunk (default 10)."),
            CommandOption(
                setting: "MAX_CONCURRENT_UPLOADS", "N", "Uploads worked on at once; others wait (default 5)."),
            CommandOption(setting: "MAX_UPLOAD_SIZE", "BYTES", "Largest file taken (default 1 TiB)."),
            CommandOption(setting: "FFMPEG_THREADS", "N", "Threads of one encoding; 0 is every core (default 0)."),
        ]
    ) { settings, http in
        try UploaderService(configuration: UploaderConfiguration(settings: settings), http: http)
    }

    static let transcode = Role(
        name: "transcode", summary: "Transcoding service: what followers do, and how it goes (8002).",
        defaultPort: 8002,
        options: [
            metadataURL,
            CommandOption(setting: "SHARED_TOKEN", "SECRET", "What followers sign with; without it, none."),
        ]
    ) { settings, http in
        TranscoderService(configuration: try TranscoderConfiguration(settings: settings), http: http)
    }

    static let follower = Role(
        name: "follower", summary: "Follower: encodes for a transcoding service (3002).", defaultPort: 3002,
        options: [
            CommandOption(setting: "TRANSCODE_SERVICE_URL", "URL", "Whom to ask for work (http://localhost:8002)."),
            CommandOption(setting: "LEADER_URL", "URL", "The leader, where it is not reached as it says itself."),
            CommandOption(
                setting: "FRAME_SHIFT_HOME", "DIR", "Files it may convert, shared with the leader; else none."),
            CommandOption(setting: "SHARED_TOKEN", "SECRET", "The same as at the transcoding service and the leader."),
            CommandOption(setting: "FOLLOWER_ID", "NAME", "What it is called (default the machine's name and port)."),
            CommandOption(setting: "SCRATCH_DIR", "DIR", "Where units lie while they are encoded (./data/scratch)."),
            CommandOption(setting: "CHUNK_SIZE", "BYTES", "Largest chunk made (default 2097152)."),
            CommandOption(setting: "FFMPEG_THREADS", "N", "Threads of one encoding; 0 is every core (default 0)."),
        ]
    ) { settings, http in
        try FollowerService(configuration: FollowerConfiguration(settings: settings), http: http)
    }

    static let leader = Role(
        name: "leader", summary: "Leader: files to convert, given to followers that share them (3001).",
        defaultPort: 3001,
        options: [
            CommandOption(setting: "FOLLOWER_URLS", "URLS", "The followers, separated by commas."),
            CommandOption(setting: "SHARED_TOKEN", "SECRET", "The same as at the followers."),
            CommandOption(
                setting: "FRAME_SHIFT_HOME", "DIR",
                "The only folder that is looked at, read and written (./data/media)."),
            CommandOption(setting: "DATA_DIR", "DIR", "Where the jobs are kept (./data/leader)."),
            CommandOption(setting: "LEADER_URL", "URL", "Where followers reach it (default its own address)."),
            CommandOption(
                setting: "WORKER_TIMEOUT", "SECONDS", "Silence after which a job goes to another (default 30)."),
            CommandOption(setting: "MAX_ATTEMPTS", "N", "Attempts at a job before it fails (default 3)."),
            CommandOption(setting: "WEBHOOK_URLS", "URLS", "Who is told of jobs that are over."),
        ]
    ) { settings, http in
        try LeaderService(configuration: LeaderConfiguration(settings: settings), http: http)
    }

    static let stream = Role(
        name: "stream", summary: "Streaming service: HLS and originals (8004).", defaultPort: 8004,
        options: [
            metadataURL,
            CommandOption(setting: "STREAM_CACHE_BYTES", "BYTES", "Memory for hot segments (default 256 MiB)."),
        ]
    ) { settings, http in
        try StreamingService(configuration: StreamingConfiguration(settings: settings), http: http)
    }

    static let library = Role(
        name: "library", summary: "Library service: the list of videos, as the video backend's clients know it (8003).",
        defaultPort: 8003, options: [metadataURL]
    ) { settings, http in
        LibraryService(
            metadataURL: settings.text("METADATA_SERVICE_URL", default: "http://localhost:8080"), http: http)
    }

    static let admin = Role(
        name: "admin", summary: "Admin service: how all is, and what to do about a video (8005).", defaultPort: 8005,
        options: [
            metadataURL,
            CommandOption(setting: "UPLOADER_SERVICE_URL", "URL", "The uploader (default http://localhost:8084)."),
            CommandOption(setting: "TRANSCODE_SERVICE_URL", "URL", "The transcoding service (http://localhost:8002)."),
            CommandOption(setting: "LIBRARY_SERVICE_URL", "URL", "The library service (http://localhost:8003)."),
            CommandOption(setting: "STREAMING_SERVICE_URL", "URL", "The streaming service (http://localhost:8004)."),
        ]
    ) { settings, http in
        AdminService(configuration: AdminConfiguration(settings: settings), http: http)
    }

    static let web = Role(
        name: "web", summary: "Web page and its API (8085).", defaultPort: 8085,
        options: [
            metadataURL,
            CommandOption(setting: "UPLOADER_SERVICE_URL", "URL", "The uploader (default http://localhost:8084)."),
            CommandOption(setting: "STREAMING_SERVICE_URL", "URL", "The streaming service (http://localhost:8004)."),
        ]
    ) { settings, http in
        try WebSiteService(configuration: WebSiteConfiguration(settings: settings), http: http)
    }

    private static let metadataURL = CommandOption(
        setting: "METADATA_SERVICE_URL", "URL", "The metadata service (default http://localhost:8080).")

    /// Opens the role's port and starts it.
    func host(_ settings: Settings, http: HTTPClient) async throws -> ServiceHost {
        let configuration = try ServerConfiguration(settings: settings, defaultPort: defaultPort)
        try Exposure.check(host: configuration.host, settings: settings)
        return try await ServiceHost(try make(settings, http), configuration: configuration)
    }

    /// `vstack NAME`: the role alone, until a signal.
    var command: Command {
        Command(
            name: name, summary: summary,
            options: [CommandOption(setting: "PORT", "N", "Where it listens (default \(defaultPort))."), .host]
                + options + CommandOption.server
        ) { [self] invocation in
            try Logger.configure(invocation.settings)
            let signals = TerminationSignals()
            let http = HTTPClient()
            let host = try await host(invocation.settings, http: http)
            Output.line("vstack \(name) is ready: \(host.url)")
            await signals.wait()
            signals.exitAfterDeadline()
            await host.stop()
            http.shutdown()
            return 0
        }
    }
}

extension CommandOption {
    fileprivate static let host = CommandOption(setting: "HOST", "ADDRESS", "On which address (default 127.0.0.1).")

    /// How much of what is logged, and in which form.
    static let logging = [
        CommandOption(setting: "LOG_LEVEL", "LEVEL", "debug, info, warning or error (default info)."),
        CommandOption(setting: "LOG_FORMAT", "FORMAT", "json, or text as on a terminal."),
    ]

    /// To open a service to a network that is trusted.
    static let exposure = CommandOption(
        setting: "ALLOW_UNAUTHENTICATED", "BOOL", "true lets it listen beyond this machine (default false).")

    /// What every role reads beside its own settings and where it listens.
    fileprivate static let server =
        [
            exposure,
            CommandOption(setting: "CORS_ALLOWED_ORIGINS", "LIST", "Pages of other hosts that may call it; * for all."),
            CommandOption(setting: "HTTP_MAX_CONNECTIONS", "N", "Connections at once (default 2048)."),
            CommandOption(setting: "HTTP_HEADER_TIMEOUT", "SECONDS", "For the head of a request (default 30)."),
            CommandOption(setting: "HTTP_IDLE_TIMEOUT", "SECONDS", "Silence that ends a connection (default 30)."),
            CommandOption(
                setting: "HTTP_MIN_RATE", "BYTES", "A second, below which a client is dropped (default 512)."),
            CommandOption(setting: "HTTP_DRAIN_SECONDS", "SECONDS", "For answers under way when it ends (default 8)."),
        ] + logging
}

/// Loopback by default: nothing is opened to a network by accident.
enum Exposure {
    static func check(host: String, settings: Settings) throws(Failure) {
        let isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        guard !isLoopback, try !settings.flag("ALLOW_UNAUTHENTICATED", default: false) else { return }
        throw Failure(
            .forbidden,
            "listening on \(host) would open the service, which asks for no key, to the network: set "
                + "ALLOW_UNAUTHENTICATED=true if that network is trusted, or put a proxy with authentication before "
                + "127.0.0.1")
    }
}
