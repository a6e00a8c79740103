/// What kind of thing went wrong, independent of who says it. HTTP maps each category to one status, in one place
/// (`HTTPStatus.init(_: ErrorCategory)`).
package enum ErrorCategory: String, Sendable {
    /// The request itself is wrong; sending it again will not help.
    case invalidArgument
    case unauthenticated
    case forbidden
    case notFound
    case conflict
    case tooLarge
    case unsupportedMediaType
    /// The client was too slow, or left.
    case timeout
    /// Bytes at rest do not match their checksum, or cannot be read.
    case corrupt
    /// Not now; trying again later may help.
    case unavailable
    /// A disk is full.
    case insufficientStorage
    case `internal`
}

/// An error that can be shown to whoever asked: `message` is one sentence that says what was wrong, with what, and,
/// where there is one, the way out. It holds no secret, no stack trace and no path of the server.
package protocol PresentableError: Error, CustomStringConvertible {
    var category: ErrorCategory { get }
    var message: String { get }
}

extension PresentableError {
    package var description: String { message }
}

/// The plain presentable error, where a module needs no codes of its own.
package struct Failure: PresentableError {
    package let category: ErrorCategory
    package let message: String
    /// What lies beneath, for the log only.
    package let cause: (any Error)?

    package init(_ category: ErrorCategory, _ message: String, cause: (any Error)? = nil) {
        self.category = category
        self.message = message
        self.cause = cause
    }
}
