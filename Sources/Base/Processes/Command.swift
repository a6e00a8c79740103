import Base

/// A program and its arguments. There is no shell between: each argument arrives as it stands here.
package struct Command: Sendable {
    /// A name looked up in `PATH`, or a path.
    package var executable: String
    package var arguments: [String]
    /// 0 to 19: how far it stands back for whatever else wants the processor.
    package var niceness: Int

    package init(_ executable: String, _ arguments: [String], niceness: Int = 0) {
        self.executable = executable
        self.arguments = arguments
        self.niceness = niceness
    }
}

/// How a child ended.
package enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    case exited(code: Int32)
    case killed(signal: Int32)

    package var isSuccess: Bool { self == .exited(code: 0) }

    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "signal \(signal)"
        }
    }
}

/// What a child that was run to its end left behind.
package struct ProcessResult: Sendable {
    package let status: ExitStatus
    package let output: [UInt8]
    /// The last of what it said on standard error, at most ``ChildProcess/errorTailBytesMax``.
    package let errorText: String

    package init(status: ExitStatus, output: [UInt8], errorText: String) {
        self.status = status
        self.output = output
        self.errorText = errorText
    }
}

/// Why a child could not be run.
package struct ProcessError: PresentableError {
    package enum Code: Sendable, Equatable {
        /// No such program in `PATH`.
        case notFound
        /// The system would not start it, with errno.
        case spawnFailed(errno: Int32)
        case timedOut
        case outputTooLarge
        /// Its output could not be read, with errno.
        case readFailed(errno: Int32)
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var category: ErrorCategory {
        switch code {
        case .notFound, .spawnFailed: .unavailable
        case .timedOut, .outputTooLarge, .readFailed: .internal
        }
    }
}
