/// What a route's pattern captured, in the pattern's order.
package struct PathParameters: Sendable {
    package typealias Value = (name: String, value: String)

    /// Most patterns capture one value; it needs no array.
    private var first: Value?
    private var others: [Value] = []

    package init(_ values: [Value] = []) { for value in values { append(value) } }

    /// The value of a placeholder that the pattern has; asking for another is a bug of ours.
    package subscript(name: String) -> String {
        if let first, first.name == name { return first.value }
        guard let value = others.first(where: { $0.name == name })?.value else {
            preconditionFailure("the route has no parameter '\(name)'")
        }
        return value
    }

    mutating func append(_ value: Value) {
        if first == nil { first = value } else { others.append(value) }
    }

    mutating func removeLast() {
        if others.popLast() == nil { first = nil }
    }
}
