import Base
import Foundation

/// Who decides one instance, and by which decision they came to.
///
/// Every message names it. In version 0 the members are the video's placement group, as it was when the video was
/// created. In every later version they are the holders that the value chosen in the version before names; so the
/// chain of configurations is the chain of chosen values.
package struct Configuration: Hashable, Sendable, Codable {
    package let version: UInt32
    package let membership: Membership
    /// The value chosen in the version before; nil in version 0. Whoever names a configuration knows that this value
    /// was chosen: a value that is only proposed has no successor.
    package let base: [UInt8]?

    /// Version 0: what a video's creator is given.
    package init(initial membership: Membership) {
        version = 0
        self.membership = membership
        base = nil
    }

    /// A configuration that was kept or sent, as it was.
    /// - Returns: nil unless version 0 has no base, and every other one has.
    package init?(version: UInt32, membership: Membership, base: [UInt8]?) {
        guard (version == 0) == (base == nil) else { return nil }
        self.version = version
        self.membership = membership
        self.base = base
    }

    private init(successorOf version: UInt32, membership: Membership, base: [UInt8]) {
        self.version = version + 1
        self.membership = membership
        self.base = base
    }

    /// The next version's configuration.
    /// - Parameters:
    ///   - chosen: the value that was chosen in this one.
    ///   - holders: those that the value names.
    /// - Returns: nil when there is no higher version number.
    package func successor(chosen: [UInt8], holders: Membership) -> Configuration? {
        guard version < UInt32.max else { return nil }
        return Configuration(successorOf: version, membership: holders, base: chosen)
    }
}

extension Configuration {
    private enum Key: CodingKey {
        case version, members, base
    }

    /// `base` is carried as base64, so that its bytes stay what they were.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        version = try container.decode(UInt32.self, forKey: .version)
        membership = try container.decode(Membership.self, forKey: .members)
        base = try container.decodeIfPresent(Data.self, forKey: .base).map { [UInt8]($0) }
        guard (version == 0) == (base == nil) else {
            throw DecodingError.dataCorruptedError(
                forKey: .base, in: container,
                debugDescription: "every version but 0 rests on the value chosen before, and version 0 on none")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(version, forKey: .version)
        try container.encode(membership, forKey: .members)
        try container.encodeIfPresent(base.map { Data($0) }, forKey: .base)
    }
}
