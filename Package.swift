// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

/// A C library from Debian: `module.modulemap` and `shim.h`, nothing else.
func library(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// A module of ours. `folder` is its place below `Sources`.
func module(
    _ name: String, in folder: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(folder)", exclude: exclude, resources: resources,
        swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", resources: resources,
        swiftSettings: settings)
}

/// What strangers' bytes reach: a test suite over the corpus or, with `VSTACK_FUZZ` set as `make fuzz` does, a program
/// of libFuzzer's, which brings its own `main`.
func fuzzed(_ dependencies: [Target.Dependency]) -> Target {
    guard Context.environment["VSTACK_FUZZ"] == nil else {
        return .executableTarget(
            name: "fuzz", dependencies: dependencies, path: "Tests/FuzzTests",
            exclude: ["Corpus", "CorpusTests.swift"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
    }
    return .testTarget(
        name: "FuzzTests", dependencies: dependencies, path: "Tests/FuzzTests", exclude: ["Fuzzer"],
        resources: [.copy("Corpus")], swiftSettings: settings)
}

let package = Package(
    name: "vstack",
    products: [.executable(name: "vstack", targets: ["vstack"])],
    targets: [
        // C libraries. Only the module named beside each may import it.
        library("CMicrohttpd", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),  // HTTPServer
        library("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),  // HTTPClient
        library("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),  // CatalogSQLite
        library("CISAL", pkgConfig: "libisal", apt: "libisal-dev"),  // Digests
        library("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),  // Digests
        .target(name: "CPlatform", path: "Sources/C/CPlatform"),  // Base, Digests, Processes, HTTPServer, ChunkStore
        .target(name: "CWebAssets", path: "Sources/C/CWebAssets"),  // WebAssets

        // Foundations
        module("Base", in: "Base/Base", ["CPlatform"]),
        module("Digests", in: "Base/Digests", ["Base", "COpenSSL", "CISAL", "CPlatform"]),
        module("Processes", in: "Base/Processes", ["Base", "CPlatform"]),
        module("TemporaryStorage", in: "Base/TemporaryStorage", ["Base"]),

        // HTTP
        module("HTTPTypes", in: "HTTP/HTTPTypes", ["Base"]),
        module("HTTPServer", in: "HTTP/HTTPServer", ["Base", "HTTPTypes", "CMicrohttpd", "CPlatform"]),
        module("HTTPClient", in: "HTTP/HTTPClient", ["Base", "HTTPTypes", "CCurl"]),

        // Cores
        module("ChunkPaxos", in: "Consensus/ChunkPaxos", ["Base"]),
        module("Placement", in: "Consensus/Placement", ["Base", "Digests", "ChunkPaxos"]),
        module("ChunkStore", in: "Storage/ChunkStore", ["Base", "Digests", "ChunkPaxos", "CPlatform"]),
        module("Jobs", in: "Jobs/Jobs", ["Base"]),
        module("Catalog", in: "Catalog/Catalog", ["Base", "ChunkPaxos", "Placement", "Jobs"]),
        module(
            "CatalogSQLite", in: "Catalog/CatalogSQLite",
            ["Base", "ChunkPaxos", "Placement", "Jobs", "Catalog", "CSQLite"]),
        module("Media", in: "Media", ["Base", "Processes"]),

        module("ConsensusSimulator", in: "Simulator/Consensus", ["Base", "ChunkPaxos", "Placement"]),

        // Services: what others may call (…API), and the service itself.
        module(
            "StorageNodeAPI", in: "Services/StorageNodeAPI",
            ["Base", "Digests", "ChunkPaxos", "HTTPTypes", "HTTPClient"]),
        module("MetadataAPI", in: "Services/MetadataAPI", ["Base", "ChunkPaxos", "Jobs", "HTTPTypes", "HTTPClient"]),
        module("UploaderAPI", in: "Services/UploaderAPI", ["Base", "HTTPTypes", "HTTPClient"]),
        module(
            "SmartClient", in: "SmartClient",
            ["Base", "Digests", "HTTPTypes", "HTTPClient", "StorageNodeAPI", "MetadataAPI"]),
        module("HostingAPI", in: "Services/HostingAPI", ["Base", "HTTPClient"]),
        module("Hosting", in: "Services/Hosting", ["Base", "HTTPTypes", "HTTPServer"]),
        module(
            "StorageNode", in: "Services/StorageNode",
            [
                "Base", "Digests", "HTTPTypes", "HTTPClient", "ChunkPaxos", "ChunkStore", "StorageNodeAPI",
                "MetadataAPI", "Hosting",
            ]),
        module(
            "Metadata", in: "Services/Metadata",
            [
                "Base", "Digests", "HTTPTypes", "HTTPClient", "ChunkPaxos", "Placement", "Jobs", "Media", "Catalog",
                "CatalogSQLite", "StorageNodeAPI", "MetadataAPI", "Hosting",
            ]),
        module(
            "ChunkDelivery", in: "Services/ChunkDelivery",
            ["Base", "Digests", "HTTPTypes", "HTTPClient", "ChunkPaxos", "Media", "StorageNodeAPI", "MetadataAPI"]),
        module(
            "Uploader", in: "Services/Uploader",
            [
                "Base", "Digests", "Processes", "TemporaryStorage", "HTTPTypes", "HTTPClient", "ChunkPaxos", "Media",
                "MetadataAPI", "ChunkDelivery", "UploaderAPI", "Hosting",
            ]),
        module(
            "TranscoderAPI", in: "Services/TranscoderAPI",
            ["Base", "Digests", "HTTPTypes", "HTTPClient", "Jobs", "MetadataAPI"]),
        module(
            "Transcoder", in: "Services/Transcoder",
            ["Base", "HTTPTypes", "HTTPClient", "Jobs", "Media", "MetadataAPI", "TranscoderAPI", "Hosting"]),
        module(
            "Library", in: "Services/Library", ["Base", "HTTPTypes", "HTTPClient", "Jobs", "MetadataAPI", "Hosting"]),
        module(
            "Admin", in: "Services/Admin",
            ["Base", "HTTPTypes", "HTTPClient", "Jobs", "MetadataAPI", "Library", "HostingAPI", "Hosting"]),
        module(
            "Follower", in: "Services/Follower",
            [
                "Base", "Digests", "TemporaryStorage", "HTTPTypes", "HTTPClient", "Jobs", "Media", "MetadataAPI",
                "SmartClient", "ChunkDelivery", "TranscoderAPI", "Hosting",
            ]),
        module(
            "Streaming", in: "Services/Streaming",
            ["Base", "Digests", "HTTPTypes", "HTTPClient", "Jobs", "Media", "MetadataAPI", "SmartClient", "Hosting"]),
        // The pages themselves are compiled into CWebAssets (docs/decisions/005-web-assets.md).
        module(
            "WebAssets", in: "Web", ["Base", "CWebAssets"],
            exclude: ["index.html", "consensus.html", "icon.svg", "icons.svg", "css", "js"]),
        module(
            "WebSite", in: "Services/WebSite",
            [
                "Base", "Digests", "HTTPTypes", "HTTPClient", "MetadataAPI", "ConsensusSimulator", "HostingAPI",
                "Hosting", "WebAssets",
            ]),

        // Simulation: a disk that fails on request, and the store upon it.
        module("SimulatedDisk", in: "Simulator/Disk", ["Base", "ChunkStore"]),
        module(
            "StoreSimulator", in: "Simulator/Store", ["Base", "Digests", "ChunkPaxos", "ChunkStore", "SimulatedDisk"]),
        .executableTarget(
            name: "simulate-store", dependencies: ["Base", "StoreSimulator"], path: "Sources/Simulator/simulate-store",
            swiftSettings: settings),

        // The product
        .executableTarget(
            name: "vstack",
            dependencies: [
                "Base", "Digests", "HTTPTypes", "HTTPServer", "HTTPClient", "Jobs", "MetadataAPI", "UploaderAPI",
                "SmartClient",
                "Hosting", "ChunkPaxos", "ChunkStore", "StorageNode", "Metadata", "Uploader", "Transcoder",
                "TranscoderAPI", "Follower", "Library", "Admin", "Streaming", "WebSite", "ConsensusSimulator",
            ],
            path: "Sources/vstack", swiftSettings: settings),

        // Measures the chunk store at full size (Benchmarks/store.py).
        .executableTarget(
            name: "store-bench", dependencies: ["Base", "ChunkStore"], path: "Sources/StoreBench",
            swiftSettings: settings),

        // Measures the ladder beside an ffmpeg for each rung (Benchmarks/ladder.py).
        .executableTarget(
            name: "ladder-bench", dependencies: ["Base", "Media"], path: "Sources/LadderBench",
            swiftSettings: settings),

        // Tests
        tests("Base", ["Base"]),
        tests("VStack", ["Base", "vstack"]),
        tests("Digests", ["Base", "Digests"]),
        tests("Processes", ["Base", "Processes"]),
        tests("HTTPTypes", ["Base", "HTTPTypes"]),
        tests("HTTPServer", ["Base", "HTTPTypes", "HTTPServer"]),
        tests("HTTPClient", ["Base", "HTTPTypes", "HTTPClient"]),
        tests("ChunkPaxos", ["Base", "ChunkPaxos"]),
        tests("ConsensusSimulator", ["Base", "ChunkPaxos", "Placement", "ConsensusSimulator"]),
        tests("Placement", ["Base", "Placement"]),
        tests("Jobs", ["Base", "Jobs"]),
        tests("TranscoderAPI", ["Base", "Digests", "MetadataAPI", "TranscoderAPI"]),
        tests("ChunkStore", ["Base", "Digests", "ChunkPaxos", "ChunkStore", "SimulatedDisk"]),
        tests("StoreSimulator", ["ChunkStore", "StoreSimulator"]),
        tests("Catalog", ["Base", "ChunkPaxos", "Placement", "Jobs", "Catalog", "CatalogSQLite"]),
        tests("Media", ["Base", "Processes", "Media"]),
        tests(
            "SmartClient", ["Base", "Digests", "ChunkPaxos", "HTTPTypes", "HTTPClient", "MetadataAPI", "SmartClient"]),
        tests(
            "StorageNode",
            [
                "Base", "Digests", "HTTPTypes", "HTTPClient", "ChunkPaxos", "ChunkStore", "StorageNodeAPI",
                "MetadataAPI", "HTTPServer", "Hosting", "StorageNode",
            ]),
        tests(
            "Metadata",
            [
                "Base", "Digests", "HTTPTypes", "HTTPClient", "ChunkPaxos", "Placement", "Jobs", "Catalog",
                "CatalogSQLite", "MetadataAPI", "StorageNodeAPI", "Hosting", "Metadata",
            ]),
        tests(
            "Uploader",
            [
                "Base", "Digests", "Processes", "TemporaryStorage", "ChunkDelivery", "HTTPTypes", "HTTPClient",
                "ChunkPaxos", "Media", "MetadataAPI",
                "UploaderAPI", "Uploader",
            ]),
        tests(
            "Streaming",
            [
                "Base", "Digests", "ChunkPaxos", "HTTPTypes", "HTTPClient", "Hosting", "Jobs", "Media", "MetadataAPI",
                "SmartClient", "Streaming",
            ]),
        fuzzed(["Base", "Digests", "ChunkPaxos", "HTTPTypes", "ChunkStore", "SimulatedDisk", "Media"]),
        tests(
            "WebSite",
            [
                "Base", "HTTPTypes", "HTTPClient", "HostingAPI", "Hosting", "MetadataAPI", "ConsensusSimulator",
                "WebAssets", "WebSite",
            ]),

    ],
    swiftLanguageModes: [.v6]
)
