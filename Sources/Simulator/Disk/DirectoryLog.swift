/// The names of a ``FaultyFileSystem``: those that programs see, and those that a power failure leaves.
///
/// Invariant: `durable` with all of `pending` applied is `names`.
struct DirectoryLog {
    private enum Change {
        case create(String, Inode)
        case rename(String, to: String, Inode)
        case remove(String, Inode)

        var path: String {
            switch self {
            case .create(let path, _), .rename(let path, _, _), .remove(let path, _): path
            }
        }
    }

    private(set) var names: [String: Inode] = [:]
    private var durable: [String: Inode] = [:]
    private var pending: [Change] = []

    init() {}

    /// Names that are durable as they are.
    init(_ names: [String: Inode]) {
        self.names = names
        durable = names
    }

    mutating func create(_ path: String, _ inode: Inode) { change(.create(path, inode)) }

    mutating func remove(_ path: String) {
        if let inode = names[path] { change(.remove(path, inode)) }
    }

    mutating func rename(_ path: String, to newPath: String) {
        if let inode = names[path] { change(.rename(path, to: newPath, inode)) }
    }

    mutating func synchronize(_ directory: String) {
        for change in pending where Self.parent(change.path) == directory { Self.apply(change, to: &durable) }
        pending.removeAll { Self.parent($0.path) == directory }
    }

    /// The names after a power failure: of the changes that were not synchronized the first few, as a journal keeps
    /// them, or any, as POSIX allows.
    func afterCrash(_ random: inout SplitMix) -> [(path: String, inode: Inode)] {
        var left = durable
        if random.oneIn(4) {
            for change in pending where random.oneIn(2) { Self.apply(change, to: &left) }
        } else {
            for change in pending.prefix(random.below(pending.count + 1)) { Self.apply(change, to: &left) }
        }
        return left.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    static func parent(_ path: String) -> Substring {
        path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
    }

    private mutating func change(_ change: Change) {
        Self.apply(change, to: &names)
        pending.append(change)
    }

    private static func apply(_ change: Change, to names: inout [String: Inode]) {
        switch change {
        case .create(let path, let inode): names[path] = inode
        case .rename(let path, let newPath, let inode):
            if names[path] === inode { names[path] = nil }
            names[newPath] = inode
        case .remove(let path, let inode): if names[path] === inode { names[path] = nil }
        }
    }
}
