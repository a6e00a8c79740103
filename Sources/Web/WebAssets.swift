import Base
import CWebAssets

/// A file of the web page, compiled into the binary.
package struct WebAsset: Sendable {
    /// Below `Sources/Web`, such as `js/app.js`.
    package let path: String
    /// Constant data of the executable; it needs no copy to be sent.
    package let content: MemoryRegion

    /// Every file, in the order of the table in `CWebAssets`.
    package static let all: [WebAsset] = {
        var count = 0
        let table = UnsafeBufferPointer(start: cwebassets_all(&count), count: count)
        return table.map { entry in
            let bytes = UnsafeRawBufferPointer(start: entry.bytes, count: entry.count)
            return WebAsset(
                path: String(cString: entry.path), content: MemoryRegion(bytes: bytes, owner: Executable.image))
        }
    }()
}

/// What keeps constant data of the executable alive: nothing has to.
private final class Executable: Sendable {
    static let image = Executable()
}
