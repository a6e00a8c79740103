import Base
import CatalogSQLite

extension CatalogRebuild {
    /// What may be done with what is found.
    package struct Terms: Sendable {
        /// Put the new catalog in the place of one that is there.
        package var isReplacing: Bool
        /// Put it there although something is missing in it.
        package var allowsMissing: Bool

        package init(isReplacing: Bool, allowsMissing: Bool) {
            self.isReplacing = isReplacing
            self.allowsMissing = allowsMissing
        }
    }

    /// Builds the catalog beside its place, and puts it there when it is whole.
    /// - Throws: ``Failure``, ``CatalogError``; nothing has changed then.
    package func run(at path: String, _ terms: Terms) async throws -> RebuildReport {
        let file = try CatalogFile(path: path, isReplacing: terms.isReplacing)
        do {
            var report = try await build(at: file.buildingPath)
            report.databasePath = path
            guard report.isWhole || terms.allowsMissing else {
                file.discard()
                return report
            }
            report.replacedPath = try file.install(at: SystemTime().now())
            report.isInstalled = true
            return report
        } catch {
            file.discard()
            throw error
        }
    }
}
