import Base

/// A response status code.
package struct HTTPStatus: Hashable, Sendable, CustomStringConvertible {
    package let code: Int

    package init(_ code: Int) { self.code = code }

    package static let ok = HTTPStatus(200)
    package static let created = HTTPStatus(201)
    package static let accepted = HTTPStatus(202)
    package static let noContent = HTTPStatus(204)
    package static let partialContent = HTTPStatus(206)
    package static let notModified = HTTPStatus(304)
    package static let badRequest = HTTPStatus(400)
    package static let notFound = HTTPStatus(404)
    package static let methodNotAllowed = HTTPStatus(405)
    package static let conflict = HTTPStatus(409)
    package static let contentTooLarge = HTTPStatus(413)
    package static let rangeNotSatisfiable = HTTPStatus(416)
    package static let headersTooLarge = HTTPStatus(431)
    package static let internalServerError = HTTPStatus(500)
    package static let badGateway = HTTPStatus(502)
    package static let serviceUnavailable = HTTPStatus(503)
    package static let insufficientStorage = HTTPStatus(507)

    /// The one place where what went wrong becomes a status code.
    package init(_ category: ErrorCategory) {
        let code =
            switch category {
            case .invalidArgument: 400
            case .unauthenticated: 401
            case .forbidden: 403
            case .notFound: 404
            case .timeout: 408
            case .conflict: 409
            case .tooLarge: 413
            case .unsupportedMediaType: 415
            case .corrupt, .internal: 500
            case .unavailable: 503
            case .insufficientStorage: 507
            }
        self.init(code)
    }

    package var isSuccess: Bool { (200..<300).contains(code) }

    package var description: String { String(code) }
}
