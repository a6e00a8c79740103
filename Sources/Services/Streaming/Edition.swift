import Base
import HTTPTypes
import MetadataAPI
import Synchronization

/// Says what a video consists of. The metadata service does.
package protocol LayoutSource: Sendable {
    /// - Returns: nil when it is still what `known` names.
    func layout(_ id: VideoID, unless known: EntityTag?) async throws -> TaggedLayout?
}

extension MetadataClient: LayoutSource {}

/// What the catalog told of a video at one time. Later editions have higher numbers.
final class Edition: Sendable {
    private static let count = Atomic<UInt64>(0)

    let number: UInt64
    let layout: VideoLayout
    let tag: EntityTag

    init(_ told: TaggedLayout) {
        number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
        layout = told.layout
        tag = told.tag
    }

    /// Whether more is to come: its upload is under way, or its ladder is.
    var isGrowing: Bool { layout.video.status == .uploading || layout.ladder.contains { !$0.isComplete } }

    /// What keeping it costs, in chunks at some 400 bytes each.
    var cost: Int { layout.streams.reduce(1) { $0 + $1.chunks.count } }

    /// What is so of the video now: this edition where nothing has changed.
    static func current(_ id: VideoID, after known: Edition?, from source: any LayoutSource) async throws -> Edition {
        let told = try await source.layout(id, unless: known?.tag)
        if let told { return Edition(told) }
        guard let known else { throw Failure(.internal, "nothing was told of video \(id)") }
        return known
    }
}
