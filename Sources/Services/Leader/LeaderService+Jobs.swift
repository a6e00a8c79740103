import Base
import Conversions
import Foundation
import HTTPTypes
import Media

// The queue as people see it.
extension LeaderService {
    /// Files of one batch.
    private static let batchMax = 1_000

    func addJobRoutes(to router: inout Router) {
        router.add(.get, "/api/jobs", "The jobs in the queue's order (status, limit, offset)") { [queue] request in
            let status = try Self.status(request.query("status"))
            let limit = try request.integer("limit", default: 1000, in: 1...10_000)
            let offset = try request.integer("offset", default: 0, in: 0...Int.max)
            return .task { try .json(Self.listing(queue, status, limit, offset)) }
        }
        router.json(.post, "/api/jobs", "Convert a file", CreateJobRequest.self) { [queue] _, body in
            let ids = try await queue.create(
                [(body.inputFile, body.outputFile, body.name)], options: body.config ?? ConversionOptions())
            return try .json(try queue.message(ids[0]), status: .created)
        }
        router.json(.put, "/api/jobs", "Put jobs first in the queue (order)", ReorderRequest.self) { [queue] _, body in
            try await queue.reorder(body.order)
            return try .json(Self.listing(queue, .pending, 10_000, 0))
        }
        router.add(.delete, "/api/jobs", "Forget jobs that are over (status)") { [queue] request in
            let status = try Self.status(request.query("status"))
            if let status, !status.isOver {
                throw Failure(
                    .invalidArgument, "'status' is \(status.rawValue): only jobs that are over can be cleared")
            }
            return .task { try .json(["cleared": try await queue.clear(status)]) }
        }
        router.task(.get, "/api/jobs/{id}", "One job") { [queue] request in
            try .json(try queue.message(request.parameters["id"]))
        }
        router.json(.patch, "/api/jobs/{id}", "Cancel or retry a job (action)", PatchJobRequest.self) {
            [queue, fleet] request, body in
            let id = request.parameters["id"]
            switch body.action {
            case .cancel: if let ended = try await queue.cancel(id) { await fleet.revoke(ended) }
            case .retry: try await queue.retry(id)
            }
            return try .json(try queue.message(id))
        }
    }

    func addBatchRoutes(to router: inout Router) {
        router.json(.post, "/api/jobs/start", "Convert many files alike", StartBatchRequest.self) { [queue] _, body in
            guard (1...Self.batchMax).contains(body.files.count) else {
                throw Failure(.invalidArgument, "'files' must have 1 to \(Self.batchMax) paths")
            }
            let batch = UUID().uuidString.lowercased()
            _ = try await queue.create(
                body.files.map { ($0, nil, nil) }, options: body.config ?? ConversionOptions(),
                folder: body.outputFolder,
                batch: batch)
            return try .json(try Self.batch(queue, batch), status: .created)
        }
        router.task(.get, "/api/jobs/batch/{id}", "Jobs that were started together") { [queue] request in
            try .json(try Self.batch(queue, request.parameters["id"]))
        }
    }

    private static func status(_ text: String?) throws(Failure) -> ConversionJob.Status? {
        guard let text else { return nil }
        guard let status = ConversionJob.Status(rawValue: text) else {
            let known = ConversionJob.Status.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.invalidArgument, "'status' is '\(text.prefix(40))': it must be one of \(known)")
        }
        return status
    }

    private static func messages(_ queue: ConversionQueue, where isWanted: (ConversionJob) -> Bool)
        -> [ConversionJobMessage]
    {
        var waiting = 0
        return queue.read { $0.jobs }.compactMap { job in
            if job.status == .pending { waiting += 1 }
            guard isWanted(job) else { return nil }
            return ConversionJobMessage(job, queuePosition: job.status == .pending ? waiting : nil)
        }
    }

    private static func listing(
        _ queue: ConversionQueue, _ status: ConversionJob.Status?, _ limit: Int, _ offset: Int
    ) -> JobListing {
        let jobs = messages(queue) { status == nil || $0.status == status }
        return JobListing(jobs: Array(jobs.dropFirst(offset).prefix(limit)), total: jobs.count, counts: queue.counts)
    }

    private static func batch(_ queue: ConversionQueue, _ id: String) throws(Failure) -> BatchMessage {
        let jobs = queue.read { $0.jobs }.filter { $0.batch == id }
        guard !jobs.isEmpty else { throw Failure(.notFound, "there is no batch \(id.prefix(80))") }
        let progress = jobs.reduce(0) { $0 + ($1.status.isOver ? 1 : $1.progress) } / Double(jobs.count)
        return BatchMessage(
            batchId: id, jobs: messages(queue) { $0.batch == id }, counts: StatusCounts(jobs),
            progress: (progress * 1000).rounded() / 10, isOver: jobs.allSatisfy(\.status.isOver))
    }
}
