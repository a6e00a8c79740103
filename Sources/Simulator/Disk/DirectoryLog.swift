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
        guard let inode = names[path] else { return }
        inode.path = newPath
        change(.rename(path, to: newPath, inode))
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

    /// The same names, with files of their own.
    func copy() -> DirectoryLog {
        var copies: [ObjectIdentifier: Inode] = [:]
        func copy(_ inode: Inode) -> Inode {
            let copy = copies[ObjectIdentifier(inode)] ?? inode.copy()
            copies[ObjectIdentifier(inode)] = copy
            return copy
        }
        var log = DirectoryLog(durable.mapValues(copy))
        for change in pending {
            switch change {
            case .create(let path, let inode): log.change(.create(path, copy(inode)))
            case .rename(let path, let newPath, let inode): log.change(.rename(path, to: newPath, copy(inode)))
            case .remove(let path, let inode): log.change(.remove(path, copy(inode)))
            }
        }
        return log
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
