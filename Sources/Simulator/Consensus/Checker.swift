import Base
import ChunkPaxos

/// What a simulation must never show (docs/consensus.md, "Invariants").
package enum Invariant: String, Codable, Sendable {
    case oneValueChosen = "one-value-chosen"
    case oneValuePerBallot = "one-value-per-ballot"
    case decidedIsChosen = "decided-is-chosen"
    case chainRestsOnChosen = "chain-rests-on-chosen"
    case acknowledgedSurvives = "acknowledged-survives"
    case readsSeeAcknowledged = "reads-see-acknowledged"
    case acceptorsKeepTheirWord = "acceptors-keep-their-word"
    case everybodyEnds = "everybody-ends"
}

package struct Violation: Codable, Hashable, Sendable {
    package let invariant: Invariant
    package let detail: String
}

/// Sees every disk at once and compares what becomes of them with what the protocol promises.
struct Checker {
    /// A set of members, by their place in the membership.
    typealias Members = UInt64

    fileprivate struct Acceptance {
        let accepted: Acceptor.Accepted
        var members: Members
    }

    struct Instance {
        let configuration: Configuration
        /// Every acceptance that ever was durable.
        fileprivate var acceptances: [Acceptance] = []
        fileprivate(set) var chosen: Acceptor.Accepted?
        /// Somebody was told that the value is decided.
        fileprivate(set) var isAcknowledged = false
        /// Who was ever durably in this version.
        fileprivate var entered: Members = 0

        fileprivate init(_ configuration: Configuration) { self.configuration = configuration }

        fileprivate func isQuorum(_ members: Members) -> Bool {
            members.nonzeroBitCount >= configuration.membership.quorum
        }
    }

    /// By version.
    private(set) var instances: [Instance]
    private(set) var violation: Violation?
    /// Whether what single acceptors do is checked too, or only what comes of it.
    let checksAcceptors: Bool

    init(_ initial: Configuration, checksAcceptors: Bool) {
        instances = [Instance(initial)]
        self.checksAcceptors = checksAcceptors
    }

    /// Whether a quorum of the next version's members have gone on, so that nobody needs this one any more.
    func isClosed(_ version: Int) -> Bool {
        guard instances.indices.contains(version + 1) else { return false }
        return instances[version + 1].isQuorum(instances[version + 1].entered)
    }

    /// The value chosen in the highest version in which one is.
    var newestChosen: (version: Int, accepted: Acceptor.Accepted)? {
        for (version, instance) in instances.enumerated().reversed() {
            if let chosen = instance.chosen { return (version, chosen) }
        }
        return nil
    }

    /// The member's disk now durably says this.
    /// - Returns: the value, if this made it the chosen one.
    mutating func onDurable(
        _ own: Membership.Member, _ configuration: Configuration, _ vote: Acceptor, _ values: Values
    ) -> Acceptor.Accepted? {
        guard enter(configuration, values), let index = configuration.membership.index(of: own) else { return nil }
        let version = Int(configuration.version)
        instances[version].entered |= 1 << Members(index)
        guard let accepted = vote.accepted else { return nil }
        note(accepted, by: 1 << Members(index), in: version)
        return choose(accepted, in: version)
    }

    /// A process calls the value decided; `tells` whether others may rely on it from now on.
    mutating func onDecided(_ value: [UInt8], in version: Int, by name: String, tells: Bool) {
        guard instances[version].chosen?.value == value else {
            let truth = instances[version].chosen.map { "\(Values.name($0.value)) is chosen" } ?? "nothing is chosen"
            return fail(.decidedIsChosen, "\(name) calls \(Values.name(value)) decided @\(version), but \(truth)")
        }
        if tells { instances[version].isAcknowledged = true }
    }

    mutating func fail(_ invariant: Invariant, _ detail: String) {
        guard violation == nil, checksAcceptors || invariant != .acceptorsKeepTheirWord else { return }
        violation = Violation(invariant: invariant, detail: detail)
    }

    /// Whether every quorum of those whose disks are left leads a proposer to what was acknowledged.
    /// - Parameter record: what the member's disk says: nothing yet, something, or that it is lost.
    mutating func checkSurvival(_ record: (Membership.Member) -> DiskState) {
        for version in instances.indices {
            guard instances[version].isAcknowledged, let chosen = instances[version].chosen, !isClosed(version) else {
                continue
            }
            let membership = instances[version].configuration.membership
            let states = membership.members.map(record)
            for quorum in Quorums.minimal(of: states.count)
            where !Self.leads(quorum, states, to: chosen.value, version: UInt32(version)) {
                let names = membership.members.indices.filter { quorum & 1 << Members($0) != 0 }
                    .map { membership.members[$0].node.description }.joined(separator: " and ")
                return fail(
                    .acknowledgedSurvives,
                    "\(Values.name(chosen.value)) was acknowledged @\(version), but the disks of \(names) do not say so"
                )
            }
        }
    }

    /// What a member's disk says.
    enum DiskState {
        case lost
        case intact(SimulatedDisk.Record?)
    }

    private static func leads(_ quorum: Members, _ states: [DiskState], to value: [UInt8], version: UInt32) -> Bool {
        var highest: Acceptor.Accepted?
        for (index, state) in states.enumerated() where quorum & 1 << Members(index) != 0 {
            guard case .intact(let record) = state else { return true }
            guard let record, let configuration = record.configuration else { continue }
            if configuration.version > version { return true }
            guard configuration.version == version, let accepted = record.vote.accepted else { continue }
            if highest.map({ $0.ballot < accepted.ballot }) ?? true { highest = accepted }
        }
        return highest?.value == value
    }

    /// Enters a configuration that an acceptor is in, or a process acts on.
    /// - Returns: false when there must be no such configuration.
    @discardableResult
    mutating func enter(_ configuration: Configuration, _ values: Values) -> Bool {
        let version = Int(configuration.version)
        if version < instances.count {
            if instances[version].configuration == configuration { return true }
            fail(.chainRestsOnChosen, "two configurations of version \(version)")
            return false
        }
        guard version == instances.count, let base = configuration.base,
            instances[version - 1].chosen?.value == base, values.holders(of: base) == configuration.membership
        else {
            let base = configuration.base.map(Values.name) ?? "nothing"
            fail(.chainRestsOnChosen, "version \(version) rests on \(base), which is not chosen @\(version - 1)")
            return false
        }
        instances.append(Instance(configuration))
        return true
    }

    private mutating func note(_ accepted: Acceptor.Accepted, by member: Members, in version: Int) {
        let acceptances = instances[version].acceptances
        let isSecond = acceptances.contains {
            $0.accepted.ballot == accepted.ballot && $0.accepted.value != accepted.value && $0.members & member != 0
        }
        if isSecond {
            fail(.acceptorsKeepTheirWord, "two values accepted by one acceptor under ballot \(accepted.ballot)")
        }
        if let index = acceptances.firstIndex(where: { $0.accepted == accepted }) {
            instances[version].acceptances[index].members |= member
        } else {
            instances[version].acceptances.append(Acceptance(accepted: accepted, members: member))
        }
    }

    private mutating func choose(_ accepted: Acceptor.Accepted, in version: Int) -> Acceptor.Accepted? {
        let members = instances[version].acceptances.first { $0.accepted == accepted }?.members ?? 0
        guard instances[version].isQuorum(members) else { return nil }
        if let chosen = instances[version].chosen {
            if chosen.value != accepted.value {
                fail(
                    .oneValueChosen,
                    "@\(version): \(Values.name(chosen.value)) was chosen under \(chosen.ballot), now "
                        + "\(Values.name(accepted.value)) is under \(accepted.ballot)")
            }
            return nil
        }
        instances[version].chosen = accepted
        return accepted
    }
}

/// The smallest quorums of a membership.
enum Quorums {
    /// Enough for every simulation.
    private static let countMax = 7

    private static let table: [[Checker.Members]] = (0...countMax).map { count in
        (0..<(1 << Checker.Members(count))).filter { $0.nonzeroBitCount == count / 2 + 1 }
    }

    static func minimal(of count: Int) -> [Checker.Members] { table[count] }
}
