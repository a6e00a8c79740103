import Base
import Digests
import Foundation
import HTTPClient
import HTTPTypes
import Hosting
import MetadataAPI

extension Command {
    static let up = Command(
        name: "up", summary: "Run everything on this machine, on embedded defaults.",
        options: [
            CommandOption("data", "DIR", "Where everything is kept (default ./data)."),
            CommandOption("host", "ADDRESS", "On which address to listen (default 127.0.0.1)."),
            CommandOption("port-offset", "N", "Added to every port, to run side by side (default 0)."),
            CommandOption("storage-nodes", "N", "Storage nodes to run (default 5)."),
            CommandOption("followers", "N", "Followers to run, which encode (default 1)."),
            .exposure,
        ] + CommandOption.logging,
        discussion: """
            Prints one line beginning 'V-Stack is ready: http://' when every role answers, and runs until SIGTERM or
            Ctrl-C. Everything is kept below the data directory; start again with the same one to go on.
            The roles' own settings are taken from the environment; 'vstack help ROLE' names them.
            """
    ) { invocation in
        try Logger.configure(invocation.settings)
        let signals = TerminationSignals()
        let system = try System(invocation)
        do {
            try await system.start()
        } catch {
            await system.stop()
            throw error
        }
        Output.line("V-Stack is ready: \(system.webURL)")
        await signals.wait()
        signals.exitAfterDeadline()
        await system.stop()
        return 0
    }
}

/// Every role in one process.
private actor System {
    /// Ports of the storage nodes: three as the seed's, then on where no other role has its own.
    private static let storagePorts = [8081, 8082, 8083] + Array(8087...8120)
    private static let drainSeconds = "3"

    nonisolated let webURL: String
    private let data: URL
    private let host: String
    private let offset: Int
    private let storageNodes: Int
    private let followers: Int
    /// Between the transcoding service and its followers; made up where none is set.
    private let sharedToken: String
    private let environment: Settings
    private let http = HTTPClient()
    /// In the order they were started.
    private var running: [(role: String, host: ServiceHost)] = []

    init(_ invocation: Invocation) throws {
        data = URL(filePath: invocation.flag("data") ?? "./data", directoryHint: .isDirectory)
        host = invocation.flag("host") ?? "127.0.0.1"
        offset = try invocation.integer("port-offset", default: 0, in: 0...57_000)
        storageNodes = try invocation.integer("storage-nodes", default: 5, in: 1...Self.storagePorts.count)
        followers = try invocation.integer("followers", default: 1, in: 0...64)
        environment = invocation.settings
        sharedToken =
            environment.text("SHARED_TOKEN") ?? SecureRandom.bytes(32).withUnsafeBytes(Hex.string)
        webURL = ServiceHost.url(host: host, port: 8085 + offset)
        try Exposure.check(host: host, settings: environment)
    }

    func start() async throws {
        try Prerequisites.checkPrograms()
        try Prerequisites.checkWritable(data)
        try await start(.metadata, ["DB_PATH": path("metadata/metadata.db")])
        for number in 1...storageNodes {
            let port = Self.storagePorts[number - 1]
            try await start(
                .storage, port: port,
                [
                    "NODE_ID": "storage-node-\(number)", "NODE_URL": url(port), "DATA_DIR": path("storage\(number)"),
                ])
        }
        try await start(.uploader, ["TEMP_DIR": path("uploads")])
        try await start(.stream, [:])
        try await start(.transcode, [:])
        for number in 0..<followers {
            try await start(
                .follower, port: Role.follower.defaultPort + number,
                [
                    "FOLLOWER_ID": "follower-\(number + 1)", "SCRATCH_DIR": path("scratch/\(number + 1)"),
                    "LEADER_URL": url(Role.leader.defaultPort),
                ])
        }
        let followerURLs = (0..<followers).map { url(Role.follower.defaultPort + $0) }
        try await start(
            .leader,
            [
                "FOLLOWER_URLS": followerURLs.joined(separator: ","), "DATA_DIR": path("leader"),
                "INSTANCE_TYPE": "leader", "LEADER_URL": url(Role.leader.defaultPort),
            ])
        try await start(.library, [:])
        try await start(.admin, [:])
        try await start(.web, [:])
        try await waitUntilHealthy()
    }

    /// Those that people talk to first, what they rest on last. The metadata service before the storage nodes: it has
    /// to write there what is due in its journal.
    func stop() async {
        // Followers first of all: they give back what they are at.
        let last = [Role.storage.name, Role.metadata.name]
        let groups = [
            running.filter { $0.role == Role.follower.name },
            running.filter { $0.role != Role.follower.name && !last.contains($0.role) },
            running.filter { $0.role == Role.metadata.name },
            running.filter { $0.role == Role.storage.name },
        ]
        running = []
        for group in groups {
            await withTaskGroup(of: Void.self) { tasks in
                for (_, host) in group { tasks.addTask { await host.stop() } }
            }
        }
        http.shutdown()
    }

    private func start(_ role: Role, port: Int? = nil, _ overrides: [String: String]) async throws {
        var settings = environment.setting("PORT", to: String((port ?? role.defaultPort) + offset))
            .setting("HOST", to: host).setting("METADATA_SERVICE_URL", to: url(8080))
            .setting("UPLOADER_SERVICE_URL", to: url(8084)).setting("STREAMING_SERVICE_URL", to: url(8004))
            .setting("TRANSCODE_SERVICE_URL", to: url(8002)).setting("LIBRARY_SERVICE_URL", to: url(8003)).setting(
                "SHARED_TOKEN", to: sharedToken
            )
            .setting("FRAME_SHIFT_HOME", to: mediaHome)
            .setting("HTTP_DRAIN_SECONDS", to: Self.drainSeconds)
        for (name, value) in overrides { settings = settings.setting(name, to: value) }
        running.append((role.name, try await role.host(settings, http: http)))
    }

    /// Every role answers its `/health`, and every storage node has registered.
    private func waitUntilHealthy() async throws {
        let metadata = MetadataClient(url(8080), http: http)
        for (role, host) in running {
            let response = try await http.send(.get("\(host.url)/health"))
            if response.status.isSuccess { continue }
            let report = String(decoding: response.body, as: UTF8.self)
            // A node whose disk is full takes no chunk any more, and what it has can still be played.
            guard role == Role.storage.name else {
                throw Failure(.unavailable, "\(host.name) at \(host.url) is not well: \(report)")
            }
            Logger("up").warning("a storage node is not well", ["url": host.url, "health": report])
        }
        let deadline = ContinuousClock.now + .seconds(20)
        while try await metadata.nodes().filter({ $0.status != .down }).count < storageNodes {
            guard ContinuousClock.now < deadline else {
                throw Failure(.unavailable, "not every storage node has registered with the metadata service")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func url(_ port: Int) -> String { ServiceHost.url(host: host, port: port + offset) }

    /// What leader and followers share: as the environment says, or a folder below the data.
    private var mediaHome: String { environment.text("FRAME_SHIFT_HOME", "MEDIA_HOME") ?? path("media") }

    private func path(_ name: String) -> String { data.appending(path: name).path(percentEncoded: false) }
}

/// What must be there before anything is started.
enum Prerequisites {
    static func checkPrograms() throws(Failure) {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        for program in ["ffmpeg", "ffprobe"]
        where !folders.contains(where: { access("\($0)/\(program)", X_OK) == 0 }) {
            throw Failure(.unavailable, "\(program) is missing: install it (apt-get install ffmpeg) and start again")
        }
    }

    static func checkWritable(_ folder: URL) throws(Failure) {
        let path = folder.path(percentEncoded: false)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                .forbidden, "the data directory \(path) cannot be made (\(reason(error))): choose another with --data",
                cause: error)
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw Failure(.forbidden, "the data directory \(path) is not writable: choose another with --data")
        }
    }

    /// What the system says, such as `Permission denied`.
    private static func reason(_ error: any Error) -> String {
        guard let cause = (error as? CocoaError)?.userInfo[NSUnderlyingErrorKey] as? POSIXError else {
            return (error as? CocoaError)?.code == .fileWriteFileExists ? "a file has that name" : "\(error)"
        }
        return String(cString: strerror(cause.code.rawValue))
    }
}
