import Base
import HTTPTypes
import Testing

@testable import WebSite

@Suite struct ConfigurationTests {
    private func config(_ settings: [String: String] = [:], host: String?) async throws -> ConfigMessage {
        let headers: HTTPHeaders = host.map { ["Host": $0] } ?? [:]
        let answer = try await Site(settings: settings).call(.get, "/api/config", headers: headers)
        return try JSON.decode(ConfigMessage.self, from: answer.bytes)
    }

    @Test(
        "a loopback address becomes the host that the browser used",
        arguments: [
            ("localhost:8085", "http://localhost:8004"), ("192.168.1.7:9085", "http://192.168.1.7:8004"),
            ("nas.local", "http://nas.local:8004"), ("[fe80::1]:8085", "http://[fe80::1]:8004"),
        ])
    func loopbackIsRewritten(host: String, streaming: String) async throws {
        #expect(try await config(host: host).streamingUrl == streaming)
        let numeric = ["STREAMING_SERVICE_URL": "http://127.0.0.1:8004/"]
        #expect(try await config(numeric, host: host).streamingUrl == streaming)
    }

    @Test("an address that others can reach stays as it was configured")
    func othersStay() async throws {
        let settings = [
            "STREAMING_SERVICE_URL": "https://cdn.example/hls/", "UPLOADER_SERVICE_URL": "http://10.0.0.2:9",
        ]
        let config = try await config(settings, host: "nas.local:8085")
        #expect(config.streamingUrl == "https://cdn.example/hls")
        #expect(config.uploaderUrl == "http://10.0.0.2:9")
        #expect(config.metadataUrl == "http://nas.local:8080")
        #expect(config.clientDashboardUrl == "http://nas.local:8086")
        #expect(config.version == Version.current)
    }

    @Test("without a usable Host header the addresses stay", arguments: [nil, "", "bad host", "a/b"])
    func withoutHost(host: String?) async throws {
        #expect(try await config(host: host).streamingUrl == "http://localhost:8004")
    }

    @Test(
        "a setting that is no address is refused by name",
        arguments: [
            "localhost:8080", "ftp://localhost", "http://", "http://a b", "http://x;y", "http://h:0", "http://h:99999",
            "http://h/a?b", "http://[zz]", "http://u@h",
        ])
    func badAddress(text: String) {
        #expect {
            try WebSiteConfiguration(settings: Settings(environment: ["UPLOADER_SERVICE_URL": text]))
        } throws: { error in
            (error as? Failure)?.message.hasPrefix("UPLOADER_SERVICE_URL is '\(text)'") == true
        }
    }
}
