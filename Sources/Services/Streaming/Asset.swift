/// What of a video is answered from memory.
enum Asset: Hashable, Sendable {
    case master, manifest, qualities, thumbnail
    case playlist(quality: String)
    case initialization(quality: String)
    case segment(quality: String, index: Int)
}
