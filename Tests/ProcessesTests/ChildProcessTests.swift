import Base
import Foundation
import Synchronization
import Testing

@testable import Processes

@Suite struct ChildProcessTests {
    private func shell(_ script: String) -> Command { Command("/bin/sh", ["-c", script]) }

    @Test("output comes in order and whole, and the exit code with it")
    func output() async throws {
        let result = try await ChildProcess.run(
            shell("echo one; echo two; echo oops >&2; exit 7"), outputBytesMax: 100)
        #expect(String(decoding: result.output, as: UTF8.self) == "one\ntwo\n")
        #expect(result.status == .exited(code: 7))
        #expect(!result.status.isSuccess)
        #expect(result.errorText == "oops\n")
    }

    @Test("arguments reach the program as they are, with no shell between")
    func arguments() async throws {
        let hostile = ["$(touch /tmp/owned)", "a b", "; rm -rf x", "'quoted'", ""]
        let result = try await ChildProcess.run(Command("printf", ["%s|"] + hostile), outputBytesMax: 1000)
        #expect(String(decoding: result.output, as: UTF8.self) == hostile.map { $0 + "|" }.joined())
    }

    @Test("a child that is to stand back does")
    func niceness() async throws {
        var command = Command("nice", [])
        command.niceness = Int(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)) + 7
        let result = try await ChildProcess.run(command, outputBytesMax: 10)
        #expect(String(decoding: result.output, as: UTF8.self) == "\(command.niceness)\n")
    }

    @Test("a child outlives the task and the thread that asked for it, and is killed when the process ends")
    func bondToTheProcess() async throws {
        // Field 5 is the group; what prctl(2) was told of the parent's end is nowhere to be read, so ask a child.
        let script = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
        let result = try await ChildProcess.run(Command("python3", ["-c", script]), outputBytesMax: 10)
        #expect(String(decoding: result.output, as: UTF8.self) == "\(SIGKILL)\n")

        let made = Locked<(thread: String?, child: Spawn.Child?)?>(nil)
        Thread {
            let child = try? Spawn.start(Command("sleep", ["1000"]))
            let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
            made.withLock { $0 = (own, child) }
        }.start()
        try await until("a thread has started a child") { made.withLock { $0 != nil } }
        let (thread, spawned) = try #require(made.withLock { $0 })
        let (folder, child) = (try #require(thread), try #require(spawned))
        try await until("the thread is gone") { !FileManager.default.fileExists(atPath: "/proc/\(folder)") }
        #expect(isRunning(child.pid))
        kill(child.pid, SIGKILL)
        waitpid(child.pid, nil, 0)
        for descriptor in [child.pidfd, child.output, child.error] { close(descriptor) }
    }

    @Test("a child that a signal ended says which")
    func signalled() async throws {
        let result = try await ChildProcess.run(shell("kill -9 $$"), outputBytesMax: 10)
        #expect(result.status == .killed(signal: SIGKILL))
    }

    @Test("a program that is not there is an error that names it")
    func missing() async throws {
        await #expect {
            _ = try await ChildProcess.run(Command("no-such-program-here", []), outputBytesMax: 10)
        } throws: { error in
            guard let error = error as? ProcessError else { return false }
            return error.code == .notFound && error.message.contains("'no-such-program-here'")
        }
    }

    @Test("a child that writes fast waits for a slow reader: no more than the pipe is ever held")
    func backPressure() async throws {
        let count = 40 << 20
        try await ChildProcess.withChild(Command("head", ["-c", "\(count)", "/dev/zero"])) { child in
            // Nobody reads: the child fills the pipe and then sleeps in write(2).
            try await untilBlocked(pid: child.pid)
            let written = try writtenBytes(pid: child.pid)
            #expect(written < 4 << 20)
            var total = 0
            while let piece = try await child.nextOutput() {
                #expect(piece.count <= ChildProcess.pieceBytesMax)
                total += piece.count
            }
            #expect(total == count)
            #expect(await child.exitStatus().isSuccess)
        }
    }

    @Test("only the end of a long standard error is kept")
    func errorTail() async throws {
        let result = try await ChildProcess.run(
            shell("i=0; while [ $i -lt 20000 ]; do echo line-$i >&2; i=$((i+1)); done"), outputBytesMax: 10)
        #expect(result.errorText.utf8.count <= ChildProcess.errorTailBytesMax)
        #expect(result.errorText.hasSuffix("line-19999\n"))
    }

    @Test("cancelling the task ends the child and its grandchildren")
    func cancellation() async throws {
        let (pids, report) = AsyncStream.makeStream(of: [pid_t].self)
        let task = Task {
            try await ChildProcess.withChild(shell("trap '' TERM; sleep 1000 & echo $!; sleep 1000")) { child in
                let line = try await child.nextOutput() ?? []
                let grandchild = pid_t(String(decoding: line, as: UTF8.self).trimmingCharacters(in: .newlines)) ?? 0
                report.yield([child.pid, grandchild])
                while try await child.nextOutput() != nil {}
            }
        }
        var iterator = pids.makeAsyncIterator()
        let both = try #require(await iterator.next())
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        for pid in both {
            #expect(pid > 1)
            try await until("process \(pid) is gone") { !isRunning(pid) }
        }
    }

    @Test("a child that outlives its timeout is ended, and the error says so")
    func timeout() async throws {
        await #expect {
            _ = try await ChildProcess.run(
                Command("sleep", ["1000"]), outputBytesMax: 10, timeout: .milliseconds(50))
        } throws: { ($0 as? ProcessError)?.code == .timedOut }
    }

    @Test("output over the limit ends the child")
    func outputLimit() async throws {
        await #expect {
            _ = try await ChildProcess.run(Command("cat", ["/dev/zero"]), outputBytesMax: 1000)
        } throws: { ($0 as? ProcessError)?.code == .outputTooLarge }
    }

    @Test("a body that throws leaves no child behind")
    func throwingBody() async throws {
        struct Stop: Error {}
        nonisolated(unsafe) var pid: pid_t = 0
        await #expect(throws: Stop.self) {
            try await ChildProcess.withChild(Command("sleep", ["1000"])) { child in
                pid = child.pid
                throw Stop()
            }
        }
        #expect(!isRunning(pid))
    }

    @Test("a child has standard input, output and error, and none of our other descriptors")
    func descriptors() async throws {
        let leaky = open("/dev/null", O_RDONLY)
        defer { close(leaky) }
        let result = try await ChildProcess.run(Command("ls", ["/proc/self/fd"]), outputBytesMax: 1000)
        let names = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
        // ls itself has the folder open as 3.
        #expect(names == ["0", "1", "2", "3"])
    }

    @Test("a hundred children at once all answer, and no descriptor of a dead child stays open")
    func parallel() async throws {
        try await withThrowingTaskGroup(of: (Int, ProcessResult).self) { group in
            for index in 0..<100 {
                group.addTask {
                    (index, try await ChildProcess.run(Command("echo", ["\(index)"]), outputBytesMax: 100))
                }
            }
            for try await (index, result) in group {
                #expect(String(decoding: result.output, as: UTF8.self) == "\(index)\n")
            }
        }
        // Closed a moment after the child was reaped. Other tests have children of their own, living ones.
        try await until("no pidfd of a dead child is open") { pidfdsOfTheDead() == 0 }
    }

    private func pidfdsOfTheDead() -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fdinfo")) ?? []
        return names.count { name in
            let info = try? String(contentsOfFile: "/proc/self/fdinfo/\(name)", encoding: .utf8)
            return info?.split(separator: "\n").contains("Pid:\t-1") == true
        }
    }

    private func isRunning(_ pid: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        // An orphan may stay a zombie where nobody reaps for init.
        return stat.split(separator: " ").dropFirst(2).first != "Z"
    }

    private func writtenBytes(pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/io", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("wchar:") }
        return try #require(line.flatMap { Int($0.dropFirst(7)) })
    }

    /// Waits until the child has written something and then sleeps without writing more.
    private func untilBlocked(pid: pid_t) async throws {
        var last = -1
        try await until("the child waits for its reader") {
            let written = (try? writtenBytes(pid: pid)) ?? -1
            defer { last = written }
            return written > 0 && written == last
        }
    }

    /// Polls a condition that nothing announces.
    private func until(_ what: Comment, _ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        while ContinuousClock.now < deadline {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("never: \(what)")
    }
}
