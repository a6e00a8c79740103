import Base
import HTTPTypes

/// An OpenAPI 3.0 description made from a role's routes.
enum OpenAPI {
    private struct Document: Encodable {
        let openapi = "3.0.3"
        let info: Info
        let paths: [String: [String: Operation]]
    }

    private struct Info: Encodable {
        let title: String
        let version = Version.current
    }

    private struct Operation: Encodable {
        let summary: String
        let parameters: [Parameter]
        let responses: [String: [String: String]]
    }

    private struct Parameter: Encodable {
        let name: String
        let `in` = "path"
        let required = true
        let schema = ["type": "string"]
    }

    /// - Returns: JSON text.
    static func describe(service: String, routes: [Router.Route]) -> String {
        var paths: [String: [String: Operation]] = [:]
        for route in routes where !route.summary.isEmpty {
            let path = route.pattern.replacing(":path}", with: "}")
            paths[path, default: [:]][route.method.rawValue.lowercased()] = Operation(
                summary: route.summary, parameters: parameters(of: path).map(Parameter.init),
                responses: ["default": ["description": "JSON; an error is {\"detail\": …} under its status code"]])
        }
        let document = Document(info: Info(title: "V-Stack \(service)"), paths: paths)
        guard let bytes = try? JSON.encode(document) else { preconditionFailure("the description is plain JSON") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func parameters(of path: String) -> [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
}
