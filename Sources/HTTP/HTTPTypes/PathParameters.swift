/// What a route's pattern captured, in the pattern's order.
package struct PathParameters: Sendable {
    package typealias Value = (name: String, value: String)

    /// Patterns capture up to three values; those need no array.
    private var first: Value?
    private var second: Value?
    private var third: Value?
    private var others: [Value] = []

    package init(_ values: [Value] = []) { for value in values { append(value) } }

    /// The value of a placeholder that the pattern has; asking for another is a bug of ours.
    package subscript(name: String) -> String {
        if let first, first.name == name { return first.value }
        if let second, second.name == name { return second.value }
        if let third, third.name == name { return third.value }
        guard let value = others.first(where: { $0.name == name })?.value else {
            preconditionFailure("the route has no parameter '\(name)'")
        }
        return value
    }

    mutating func append(_ value: Value) {
        if first == nil {
            first = value
        } else if second == nil {
            second = value
        } else if third == nil {
            third = value
        } else {
            others.append(value)
        }
    }

    mutating func removeLast() {
        if others.popLast() != nil { return }
        if third != nil {
            third = nil
        } else if second != nil {
            second = nil
        } else {
            first = nil
        }
    }
}
