import Base

/// Which kinds of faults a simulation may have.
package struct Faults: OptionSet, Sendable, Hashable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Messages are lost.
    package static let loss = Faults(rawValue: 1)
    /// Messages arrive more than once.
    package static let duplication = Faults(rawValue: 2)
    /// Messages arrive late, and so in another order.
    package static let delay = Faults(rawValue: 4)
    /// Some are cut off from the others, in one direction or both.
    package static let partition = Faults(rawValue: 8)
    /// Nodes and proposers die and start again.
    package static let crash = Faults(rawValue: 16)
    /// What was written but not synchronized is lost, torn or kept, each write for itself, when a node dies.
    package static let disk = Faults(rawValue: 32)
    /// Disks are replaced by empty ones.
    package static let wipe = Faults(rawValue: 64)
    /// Synchronized records rot, and are found to have.
    package static let rot = Faults(rawValue: 128)
    /// Clocks jump.
    package static let clock = Faults(rawValue: 256)

    package static let all = Faults(rawValue: 511)

    /// In the order they are listed.
    package static let named: [(name: String, faults: Faults)] = [
        ("loss", .loss), ("duplication", .duplication), ("delay", .delay), ("partition", .partition),
        ("crash", .crash), ("disk", .disk), ("wipe", .wipe), ("rot", .rot), ("clock", .clock),
    ]

    /// Names parted by commas, or `all`, or `none`.
    /// - Throws: ``Failure`` (`invalidArgument`) that says which word is none.
    package init(_ text: some StringProtocol) throws(Failure) {
        self = []
        for word in text.split(separator: ",") {
            switch word {
            case "all": formUnion(.all)
            case "none": break
            default:
                guard let fault = Self.named.first(where: { $0.name == word }) else {
                    let names = (Self.named.map(\.name) + ["all", "none"]).joined(separator: ", ")
                    throw Failure(.invalidArgument, "'\(word.prefix(80))' is no kind of fault: \(names)")
                }
                formUnion(fault.faults)
            }
        }
    }

    /// What ``init(_:)`` reads.
    package var text: String {
        if self == .all { return "all" }
        let names = Self.named.filter { contains($0.faults) }.map(\.name)
        return names.isEmpty ? "none" : names.joined(separator: ",")
    }
}
