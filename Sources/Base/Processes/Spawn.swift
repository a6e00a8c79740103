import CPlatform
import Glibc

/// The system calls that make a child.
///
/// - The child leads a process group of its own, so that it and all it starts can be signalled as one.
/// - Its descriptors are standard input (`/dev/null`), output and error (pipes); every other is closed, whatever flags
///   the rest of the program gave its own (posix_spawn_file_actions_addclosefrom_np(3)).
/// - Its signal mask is empty and its signal actions are the default ones.
///
/// When this program is killed outright, the child's next write to a pipe fails and ends it. A death signal
/// (PR_SET_PDEATHSIG) would need code between fork and exec, and follows the thread that forked, not the process.
enum Spawn {
    /// A running child and our ends of its pipes: close-on-exec, not blocking.
    struct Child {
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
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO)
        vstack_spawn_close_from(&actions, STDERR_FILENO + 1)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var arguments: [UnsafeMutablePointer<CChar>?] = ([command.executable] + command.arguments).map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, command.executable, &actions, &attributes, arguments, environ)
        guard result == 0 else { throw failure(command, result) }
        // Of the group, since the child may have children already. Should it be over, there is nothing to do.
        if command.niceness > 0 {
            setpriority(__priority_which_t(PRIO_PGRP.rawValue), id_t(pid), CInt(command.niceness))
        }
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
