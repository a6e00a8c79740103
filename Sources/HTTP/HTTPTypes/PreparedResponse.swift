import Base
import Synchronization

/// An answer made once and sent any number of times: for what is asked so often that making the answer costs more than
/// sending it.
///
/// It is sent without `X-Request-ID` to a client that sent none.
package final class PreparedResponse: Sendable {
    /// The server library's own object for the answer, and how it is given back.
    package final class ServerForm: @unchecked Sendable {
        // The pointer never changes; the library locks what it points to.
        package let handle: OpaquePointer
        private let release: @Sendable (OpaquePointer) -> Void

        package init(_ handle: OpaquePointer, release: @escaping @Sendable (OpaquePointer) -> Void) {
            self.handle = handle
            self.release = release
        }

        deinit { release(handle) }
    }

    package let response: Response
    /// Set by the server that sends the answer first.
    package let serverForm = Locked<ServerForm?>(nil)

    /// - Parameter response: one whose body is not a stream, which can be read only once.
    package init(_ response: Response) {
        if case .stream = response.body { preconditionFailure("a stream cannot be sent twice") }
        self.response = response
    }
}
