import CPlatform
import Glibc

/// The system calls that make a child.
///
/// - The child leads a process group of its own, so that it and all it starts can be signalled as one.
/// - Its descriptors are standard input (`/dev/null`), output and error (pipes); every other is closed, whatever flags
///   the rest of the program gave its own.
/// - Its signal mask is empty and its signal actions are the default ones.
/// - It is killed when this process ends, however that comes: what it would go on with is nobody's any more.
enum Spawn {
    /// A running child and our ends of its pipes: close-on-exec, not blocking.
    struct Child: Sendable {
        let pid: pid_t
        /// Readable when the child has ended.
        let pidfd: Int32
        let output: Int32
        let error: Int32
    }

    /// Room in a pipe, so that a child that writes fast is seldom stopped: the default limit for any user.
    private static let pipeBytes: Int32 = 1 << 20

    static func start(_ command: Command) throws(ProcessError) -> Child {
        var opened: [Int32] = []
        func pipe() throws(ProcessError) -> (read: Int32, write: Int32) {
            var ends: [Int32] = [-1, -1]
            guard vstack_pipe(&ends, pipeBytes) == 0 else { throw failure(command, errno) }
            opened += ends
            return (ends[0], ends[1])
        }
        var ours: Set<Int32> = []
        defer { for descriptor in opened where !ours.contains(descriptor) { close(descriptor) } }

        let output = try pipe()
        let error = try pipe()
        let pid = try spawn(command, output: output.write, error: error.write)
        let pidfd = vstack_pidfd_open(pid)
        guard pidfd >= 0 else {
            let reason = errno
            kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw failure(command, reason)
        }
        ours = [output.read, error.read]
        return Child(pid: pid, pidfd: pidfd, output: output.read, error: error.read)
    }

    private static func spawn(_ command: Command, output: Int32, error: Int32) throws(ProcessError) -> pid_t {
        let (reason, pid) = SpawnThread.shared.run {
            var arguments: [UnsafeMutablePointer<CChar>?] = ([command.executable] + command.arguments).map {
                strdup($0)
            }
            arguments.append(nil)
            defer { for argument in arguments { free(argument) } }
            var pid: pid_t = 0
            let reason = arguments.withUnsafeBufferPointer { arguments in
                var child = vstack_child()
                child.arguments = arguments.baseAddress
                child.output = output
                child.error = error
                child.niceness = Int32(command.niceness)
                return vstack_spawn(&child, &pid)
            }
            return (reason, pid)
        }
        guard reason == 0 else { throw failure(command, reason) }
        return pid
    }

    private static func failure(_ command: Command, _ reason: Int32) -> ProcessError {
        let name = command.executable.split(separator: "/").last.map(String.init) ?? command.executable
        if reason == ENOENT {
            return ProcessError(.notFound, "the program '\(name)' is not installed (not found in PATH)")
        }
        return ProcessError(
            .spawnFailed(errno: reason),
            "the program '\(name)' could not be started: \(String(cString: strerror(reason)))")
    }
}
