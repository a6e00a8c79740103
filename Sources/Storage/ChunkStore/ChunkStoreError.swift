import Base
import ChunkPaxos

/// Why the store did not do what it was asked.
package struct ChunkStoreError: PresentableError {
    package enum Code: Sendable, Equatable {
        /// The id holds other bytes.
        case conflict
        /// The chunk's acceptor refused the ballot or the value; its state is with the error.
        case rejected(Acceptor)
        /// The chunk has gone on to a later configuration, which is with the error.
        case superseded(Configuration)
        /// The message names another acceptor, or another configuration of the same version.
        case foreign
        /// Records of the log are lost, so that the acceptor may have promised what it does not know.
        case forgetful
        /// Bytes at rest do not match their checksum, or the disk does not give them.
        case corrupt
        /// The bytes do not have the checksum they were announced with.
        case checksumMismatch
        case emptyChunk
        case chunkTooLarge
        case metadataTooLarge
        /// Too many writes at once.
        case busy
        case insufficientStorage
        /// A synchronization failed earlier; nothing is written until the node is restarted.
        case readOnly
        case closed
        /// Another process has the directory.
        case inUse
        /// What is in the directory cannot be understood, or is incomplete.
        case unreadable
        case io
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var category: ErrorCategory {
        switch code {
        case .conflict, .rejected, .superseded, .foreign: .conflict
        case .corrupt, .unreadable: .corrupt
        case .checksumMismatch, .emptyChunk, .metadataTooLarge: .invalidArgument
        case .chunkTooLarge: .tooLarge
        case .busy, .forgetful, .readOnly, .closed, .inUse: .unavailable
        case .insufficientStorage: .insufficientStorage
        case .io: .internal
        }
    }

    static func readOnly(_ reason: String) -> ChunkStoreError {
        ChunkStoreError(.readOnly, "the node is read-only until it is restarted: \(reason)")
    }

    static let closed = ChunkStoreError(.closed, "the chunk store is closed")

    /// What a failed write means for whoever wanted it.
    static func writing(_ error: FileSystemError) -> ChunkStoreError {
        error.isDiskFull
            ? ChunkStoreError(
                .insufficientStorage, "the node's disk is full; free space or use another node", cause: error)
            : ChunkStoreError(.io, "the node could not write to its disk: \(error.reason)", cause: error)
    }

    /// What a failed call while opening means, for whoever starts the node.
    static func opening(_ error: FileSystemError) -> ChunkStoreError {
        ChunkStoreError(.io, "the chunk store cannot be opened: \(error)", cause: error)
    }
}
