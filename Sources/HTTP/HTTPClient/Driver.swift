import Base
import CCurl
import HTTPTypes

/// The thread's own state: every exchange under way, and the loop that moves them all.
final class Driver {
    /// Handles that are kept for the next exchanges.
    private static let idleHandlesMax = 64
    /// How long the loop sleeps at most when nothing is due.
    private static let sleepMillisecondsMax = 60_000

    private let queue: CommandQueue
    private let multi: UnsafeMutableRawPointer
    private var transfers: [ExchangeID: Transfer] = [:]
    private var idleHandles: [EasyHandle] = []
    private var nextDeadline: ContinuousClock.Instant?

    init(_ queue: CommandQueue) {
        self.queue = queue
        multi = queue.multi.pointer
    }

    /// Runs until the client is shut down; then every exchange has failed and the handles are free.
    func run() {
        while true {
            let (commands, isClosed) = queue.take()
            for command in commands { perform(command) }
            if isClosed { break }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            collectFinished()
            finishAnsweredEarly()
            expireOverdue()
            curl_multi_poll(multi, nil, 0, Int32(sleepMilliseconds), nil)
        }
        for transfer in transfers.values { finish(transfer, .failure(HTTPClientError.clientClosed)) }
        idleHandles = []
        curl_multi_cleanup(multi)
    }

    private func perform(_ command: Command) {
        switch command {
        case .start(let submission): start(submission)
        case .resumeSending(let id): transfers[id]?.resumeSending()
        case .resumeReceiving(let id): transfers[id]?.resumeReceiving()
        case .cancel(let id):
            guard let transfer = transfers[id] else { return }
            finish(transfer, .failure(HTTPClientError(.cancelled, "the request was cancelled")))
        }
    }

    private func start(_ submission: Submission) {
        add(Transfer(submission, handle: idleHandles.popLast() ?? EasyHandle(), now: .now))
    }

    private func add(_ transfer: Transfer) {
        transfers[transfer.id] = transfer
        transfer.configure()
        curl_multi_add_handle(multi, transfer.handle.pointer)
        nextDeadline = min(nextDeadline ?? transfer.nextDeadline, transfer.nextDeadline)
    }

    private func collectFinished() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            var context: UnsafeMutableRawPointer?
            vstack_curl_get_pointer(handle, CURLINFO_PRIVATE, &context)
            let transfer = Transfer.from(context)
            if transfer.mayHideRefusal(code) {
                curl_multi_remove_handle(multi, handle)
                add(Transfer(again: transfer, now: .now))
            } else {
                finish(transfer, transfer.result(of: code))
            }
        }
    }

    // A server that refuses a body may leave the connection open without reading: the answer need not wait for that.
    private func finishAnsweredEarly() {
        for transfer in transfers.values where transfer.isCompleteEarly { finish(transfer, .success(())) }
    }

    private func expireOverdue() {
        let now = ContinuousClock.now
        guard let deadline = nextDeadline, now >= deadline else { return }
        for transfer in transfers.values {
            if let error = transfer.overdue(now: now) { finish(transfer, .failure(error)) }
        }
        nextDeadline = transfers.values.map(\.nextDeadline).min()
    }

    private var sleepMilliseconds: Int {
        guard let nextDeadline else { return Self.sleepMillisecondsMax }
        // One more, because a part of a millisecond counts as none and the loop would spin.
        let left = (nextDeadline - .now).wholeMilliseconds + 1
        return min(max(left, 0), Self.sleepMillisecondsMax)
    }

    private func finish(_ transfer: Transfer, _ result: Result<Void, any Error>) {
        curl_multi_remove_handle(multi, transfer.handle.pointer)
        transfers[transfer.id] = nil
        if idleHandles.count < Self.idleHandlesMax {
            transfer.handle.reset()
            idleHandles.append(transfer.handle)
        }
        queue.exchangeEnded()
        transfer.deliver(result)
    }
}
