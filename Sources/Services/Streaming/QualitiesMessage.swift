import Base
import MetadataAPI

/// `GET /stream/{video_id}/qualities`
package struct QualitiesMessage: Encodable, Sendable {
    package struct Rendition: Encodable, Sendable {
        package let playlist: String
        package let resolution: String
        package let bandwidth: Int
        package let averageBandwidth: Int
    }

    package struct Original: Encodable, Sendable {
        package let file: String
        package let resolution: String
        package let qualityLabel: String
    }

    private enum Quality: Encodable {
        case rendition(Rendition)
        case original(Original)

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .rendition(let value): try value.encode(to: encoder)
            case .original(let value): try value.encode(to: encoder)
            }
        }
    }

    private let master: String
    private let qualities: [String: Quality]
    /// Labels of the renditions, the best first.
    private let available: [String]
    private let originalQualityLabel: String?
    private let originalResolution: String?

    package init(_ layout: VideoLayout) {
        let root = StreamAssets.root(of: layout.video.videoId)
        var qualities: [String: Quality] = [:]
        let offered = layout.offered
        for rendition in offered {
            qualities[rendition.label] = .rendition(
                Rendition(
                    playlist: "\(root)/\(rendition.label)/\(StreamAssets.playlist)",
                    resolution: "\(rendition.width)x\(rendition.height)", bandwidth: rendition.bandwidth,
                    averageBandwidth: rendition.averageBandwidth))
        }
        let original = layout.original.map { original in
            Original(
                file: "\(root)/original", resolution: "\(original.width)x\(original.height)",
                qualityLabel: original.qualityLabel)
        }
        if let original { qualities["original"] = .original(original) }
        master = "\(root)/\(StreamAssets.master)"
        self.qualities = qualities
        available = offered.sorted { $0.bandwidth > $1.bandwidth }.map(\.label)
        originalQualityLabel = original?.qualityLabel
        originalResolution = original?.resolution
    }
}
