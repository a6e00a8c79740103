import Base
import ChunkPaxos
import HTTPTypes

enum FuzzedHTTP {
    /// The first byte says how large the resource is, the rest is text as it comes in a header, a query or a body.
    static func decode(_ bytes: [UInt8]) {
        let size = Int(bytes.first ?? 0)
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
        if case .part(let range) = RangeSelection(header: text, size: size) {
            precondition(!range.isEmpty && range.lowerBound >= 0 && range.upperBound <= size, "a part of what is there")
        }
        _ = RangeSelection(header: "bytes=" + text, size: size)
        _ = EntityTag("tag").matches(ifNoneMatch: text)
        precondition(PercentEncoding.decode(PercentEncoding.encode(text)) == text, "encoding is undone by decoding")
        _ = PercentEncoding.decode(text, plusIsSpace: true)
        if let ballot = Ballot(text) { precondition(Ballot(ballot.description) == ballot) }
        if let id = ChunkID(text) { precondition(id.description == text) }
        _ = try? ChunkValue(encoded: Array(bytes.dropFirst()))
    }
}
