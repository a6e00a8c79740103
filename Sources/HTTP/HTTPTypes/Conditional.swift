import Base

/// The part of a representation that a `Range` header asks for (RFC 9110 §14.2). Only single byte ranges are
/// honoured; several, another unit or a malformed header mean the whole, as the RFC allows.
package enum RangeSelection: Equatable, Sendable {
    case whole
    case part(Range<Int>)
    case unsatisfiable

    package init(header: String?, size: Int) {
        self = .whole
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else { return }
        let bounds = header.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return }
        let isNumber = { (text: Substring) in text.utf8.allSatisfy { (48...57).contains($0) } }
        guard isNumber(bounds[0]), isNumber(bounds[1]), !(bounds[0].isEmpty && bounds[1].isEmpty) else { return }
        // More digits than Int holds are past any end.
        let first = bounds[0].isEmpty ? nil : Int(bounds[0]) ?? Int.max
        let last = bounds[1].isEmpty ? nil : Int(bounds[1]) ?? Int.max
        if let first {
            if let last, last < first { return }
            self = first < size ? .part(first..<min(last ?? size - 1, size - 1) + 1) : .unsatisfiable
        } else {
            let suffix = min(last ?? 0, size)
            self = suffix > 0 ? .part(size - suffix..<size) : .unsatisfiable
        }
    }
}

/// An `ETag`, and whether a conditional header names it.
package struct EntityTag: Hashable, Sendable {
    /// Quoted, as it stands in the header.
    package let header: String

    package init(_ opaque: String) { header = "\"\(opaque)\"" }

    /// - Parameter ofHeader: an `ETag` header's value, quotes and all.
    package init(ofHeader value: String) { header = value }

    /// The tag of bytes that have this digest: its hex digits.
    package init(_ digest: SHA256Digest) { header = digest.quotedHex }

    /// Whether an `If-None-Match` header names this tag (weak comparison, RFC 9110 §13.1.2), with or without quotes.
    package func matches(ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        return ifNoneMatch.split(separator: ",").contains { candidate in
            var tag = candidate.drop { $0 == " " }
            while tag.last == " " { tag.removeLast() }
            if tag == "*" { return true }
            if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
            return tag == header || "\"\(tag)\"" == header
        }
    }
}

extension Response {
    /// Answers a GET or HEAD for a representation of known size: 304, 416, 206 or 200, as the request's
    /// `If-None-Match`, `Range` and `If-Range` ask.
    ///
    /// - Parameters:
    ///   - headers: go with every answer, 304 included.
    ///   - body: makes the bytes of a part.
    package static func content(
        for request: any RequestView, size: Int, tag: EntityTag, contentType: String,
        headers: consuming HTTPHeaders = [:], body: (Range<Int>) throws -> ResponseBody
    ) rethrows -> Response {
        headers.add("ETag", tag.header)
        headers.add("Accept-Ranges", "bytes")
        if tag.matches(ifNoneMatch: request.header("If-None-Match")) {
            return Response(.notModified, headers: headers)
        }
        var range = request.header("Range")
        if range != nil, let ifRange = request.header("If-Range"), ifRange != tag.header { range = nil }
        switch RangeSelection(header: range, size: size) {
        case .whole:
            headers.add("Content-Type", contentType)
            return Response(.ok, headers: headers, body: try body(0..<size))
        case .part(let part):
            headers.add("Content-Type", contentType)
            headers.add("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)")
            return Response(.partialContent, headers: headers, body: try body(part))
        case .unsatisfiable:
            var answer = Response.detail(
                .rangeNotSatisfiable, "the range '\(range ?? "")' lies outside the \(size) bytes there are")
            answer.headers.add("Content-Range", "bytes */\(size)")
            return answer
        }
    }
}
