import Base

/// Why the catalog could not do what it was asked.
package struct CatalogError: PresentableError {
    package enum Code: Sendable, Equatable {
        case notFound
        /// What is there already contradicts the change.
        case conflict
        /// The catalog was written by a newer program.
        case newerSchema
        /// The file is no catalog, or its bytes are damaged.
        case corrupt
        case unwritable
        case diskFull
        /// Too many calls wait already.
        case overloaded
        case closed
        /// Anything else the database said.
        case database
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var category: ErrorCategory {
        switch code {
        case .notFound: .notFound
        case .conflict: .conflict
        case .corrupt: .corrupt
        case .newerSchema, .database: .internal
        case .unwritable, .overloaded, .closed: .unavailable
        case .diskFull: .insufficientStorage
        }
    }
}
