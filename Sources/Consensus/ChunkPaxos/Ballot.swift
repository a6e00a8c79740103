import Base

/// A ballot number: totally ordered, first by round, then by who proposes.
///
/// Round 0 belongs to the creator of the video alone, who for that reason needs no first phase. Everybody else uses a
/// higher round and both phases.
package struct Ballot: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let round: UInt32
    /// Unique to each proposer that was ever started; the creator's is handed out with the video.
    package let proposer: UInt64

    package init(round: UInt32, proposer: UInt64) {
        self.round = round
        self.proposer = proposer
    }

    /// `<round>.<proposer in hex>`, the form messages carry, such as `0.9f3c2a`.
    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let ballot = text.withUTF8({ Ballot(utf8: $0) }) else { return nil }
        self = ballot
    }

    package init?(utf8 text: UnsafeBufferPointer<UInt8>) {
        guard let dot = text.firstIndex(of: UInt8(ascii: ".")),
            let round = UInt32(String(decoding: text[..<dot], as: UTF8.self)),
            let proposer = UInt64(String(decoding: text[(dot + 1)...], as: UTF8.self), radix: 16)
        else { return nil }
        self.init(round: round, proposer: proposer)
    }

    package var description: String { "\(round).\(String(proposer, radix: 16))" }

    package static func < (a: Ballot, b: Ballot) -> Bool {
        (a.round, a.proposer) < (b.round, b.proposer)
    }
}

extension Ballot: TextCodable {
    package static var textForm: String { "a ballot (<round>.<proposer in hex>)" }
}
