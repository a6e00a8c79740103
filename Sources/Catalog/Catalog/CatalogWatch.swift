import Base

/// Tells what anybody changed: this process, or another one that uses the same catalog.
package protocol CatalogWatch: Sendable {
    /// Videos whose row or chunks have changed since the last call, or since the watch began. What is read from the
    /// catalog before this call, of a video that it does not name, is still so.
    ///
    /// Answers on the caller's thread; costs a few microseconds when nothing has changed.
    func changedVideos() throws(CatalogError) -> [VideoID]
}
