import Base
import HTTPClient
import HTTPTypes

/// Hands an upload's body on to the uploader while it arrives: no byte touches this role's disk, and the browser is
/// slowed to what the uploader takes.
struct UploadRelay: Sendable {
    /// How long an upload may stand still before it is given up: a phone that changes networks comes back sooner.
    static let idleTimeout: Duration = .seconds(120)

    let uploader: Backend

    /// How large an upload may be is the uploader's to say; its early refusal comes back as its own answer.
    func reply(to request: any RequestView) throws(Failure) -> Reply {
        guard let contentType = request.header("Content-Type"),
            contentType.lowercased().hasPrefix("multipart/form-data")
        else {
            throw Failure(
                .unsupportedMediaType, "an upload must be multipart/form-data with the fields 'video' and 'title'")
        }
        let length = request.contentLength
        return .stream(limit: nil) { body in
            let answer = try await uploader.send(outgoing(contentType: contentType, length: length, body: body))
            return Backend.response(from: answer)
        }
    }

    private func outgoing(contentType: String, length: Int?, body: BodyStream) -> ClientRequest {
        let source = body.makeAsyncIterator()
        let bytes = ByteSource {
            var iterator = source
            return try await iterator.next()
        }
        var request = ClientRequest(
            .post, uploader.url.text + "/upload", headers: ["Content-Type": contentType],
            body: .stream(length: length, bytes))
        request.totalTimeout = nil
        request.idleTimeout = Self.idleTimeout
        return request
    }
}
