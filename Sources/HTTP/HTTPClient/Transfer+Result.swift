import Base
import CCurl
import HTTPTypes

extension Transfer {
    /// What libcurl's verdict means for the caller.
    func result(of code: CURLcode) -> Result<Void, any Error> {
        if let failure { return .failure(failure) }
        if code == CURLE_OK {
            return head == nil ? .failure(error(.malformedResponse, "sent no head", code)) : .success(())
        }
        return isAnsweredDespiteBreak ? .success(()) : .failure(error(for: code))
    }

    /// Tells the caller how the exchange ended.
    func deliver(_ result: Result<Void, any Error>) {
        submission.feed?.close()
        switch submission.delivery {
        case .pipe(let pipe): pipe.finish(result)
        case .whole(_, let promise):
            promise.give(
                result.flatMap {
                    guard let head else { return .failure(HTTPClientError.clientClosed) }
                    return .success(ClientResponse(status: head.status, headers: head.headers, body: body))
                })
        }
    }

    private func error(for code: CURLcode) -> HTTPClientError {
        switch code {
        case CURLE_URL_MALFORMAT: error(.invalidURL, "is no address", code)
        case CURLE_OPERATION_TIMEDOUT: error(.timeout, "took too long", code)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION,
            CURLE_INTERFACE_FAILED, CURLE_NO_CONNECTION_AVAILABLE:
            error(.connection, "cannot be reached", code)
        // The scheme was checked before, so an unsupported protocol is the server's: libcurl takes it for HTTP/0.9.
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2:
            error(.malformedResponse, "does not speak HTTP", code)
        default: error(.interrupted, "broke the connection", code)
        }
    }

    private func error(_ code: HTTPClientError.Code, _ what: String, _ cause: CURLcode) -> HTTPClientError {
        HTTPClientError(code, "\(submission.request.origin) \(what): \(handle.explanation(of: cause))")
    }
}
