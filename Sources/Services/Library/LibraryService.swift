import Base
import HTTPClient
import HTTPTypes
import Hosting
import MetadataAPI

/// The video backend's metadata service (8003): one more face of the catalog. It keeps nothing of its own.
package final class LibraryService: Service {
    package let name = "metadata_service"
    package let metrics = Metrics()

    private let metadataURL: String
    private let routes: LibraryRoutes

    /// - Parameter metadataURL: of the metadata service that has the catalog.
    package init(metadataURL: String, http: HTTPClient) {
        self.metadataURL = metadataURL
        routes = LibraryRoutes(metadata: MetadataClient(metadataURL, http: http))
    }

    package func addRoutes(to router: inout Router) { routes.add(to: &router) }

    package func health() async -> HealthReport {
        HealthReport(status: "healthy", fields: ["metadata_service_url": .text(metadataURL)])
    }
}
