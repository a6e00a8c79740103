import Base

/// Where the services are that the web site stands in front of.
package struct WebSiteConfiguration: Sendable {
    let metadata: ServiceURL
    let uploader: ServiceURL
    let streaming: ServiceURL
    let clientDashboard: ServiceURL

    /// Reads `METADATA_SERVICE_URL`, `UPLOADER_SERVICE_URL`, `STREAMING_SERVICE_URL` and `CLIENT_DASHBOARD_URL`.
    /// - Throws: ``Failure`` that names the setting whose value is no address.
    package init(settings: Settings) throws(Failure) {
        func url(_ name: String, default fallback: String) throws(Failure) -> ServiceURL {
            try ServiceURL(settings.text(name, default: fallback), setting: name)
        }
        metadata = try url("METADATA_SERVICE_URL", default: "http://localhost:8080")
        uploader = try url("UPLOADER_SERVICE_URL", default: "http://localhost:8084")
        streaming = try url("STREAMING_SERVICE_URL", default: "http://localhost:8004")
        clientDashboard = try url("CLIENT_DASHBOARD_URL", default: "http://localhost:8086")
    }

    /// `GET /api/config`: the addresses as the browser that sent `host` must use them.
    func message(forBrowserAt host: String?) -> ConfigMessage {
        ConfigMessage(
            metadataUrl: metadata.reachable(from: host).text, uploaderUrl: uploader.reachable(from: host).text,
            streamingUrl: streaming.reachable(from: host).text,
            clientDashboardUrl: clientDashboard.reachable(from: host).text, version: Version.current)
    }
}

/// `GET /api/config`
struct ConfigMessage: Codable, Sendable, Equatable {
    let metadataUrl: String
    let uploaderUrl: String
    let streamingUrl: String
    let clientDashboardUrl: String
    let version: String
}
