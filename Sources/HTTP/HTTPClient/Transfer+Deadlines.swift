import Base
import HTTPTypes

extension Transfer {
    /// When the exchange must be looked at again, should nothing happen before.
    var nextDeadline: ContinuousClock.Instant {
        let request = submission.request
        let idle = max(lastActivity, startedAt) + request.idleTimeout
        guard let total = request.totalTimeout else { return idle }
        return min(idle, startedAt + total)
    }

    /// What ends the exchange now, if anything. An exchange is not idle while it is we who wait: for a connection
    /// (which has its own limit), for the request's source, or for the answer's reader.
    func overdue(now: ContinuousClock.Instant) -> HTTPClientError? {
        let request = submission.request
        if let total = request.totalTimeout, now >= startedAt + total {
            return HTTPClientError(.timeout, "\(request.origin) did not finish its answer within \(total)")
        }
        noteProgress(now: now)
        guard now >= lastActivity + request.idleTimeout else { return nil }
        let isOurTurn = receiveIsPaused || (sendIsPaused && head == nil)
        guard isConnected, !isOurTurn else {
            touch(now: now)
            return nil
        }
        return HTTPClientError(.timeout, "\(request.origin) moved no byte for \(request.idleTimeout)")
    }
}
