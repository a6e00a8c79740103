import Base
import Foundation
import Media

/// Makes a file's whole ladder as followers do, part by part on this machine, and tells what it took of the processor.
/// Prints one JSON object; `Benchmarks/ladder.py` runs it. The rungs are left in the folder, one file each.
@main
enum LadderBench {
    private static let usage = "usage: ladder-bench FILE FOLDER THREADS"

    struct Report: Encodable {
        /// Of ffmpeg and of this program: for the encode of pictures and sound …
        var encodeProcessorSeconds = 0.0
        /// … and for the checks of what came out.
        var verifyProcessorSeconds = 0.0
        var unitCount = 0
        var pictureCount = 0
    }

    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 3, let threads = Int(arguments[3]), threads >= 0 else {
            FileHandle.standardError.write(Data((usage + "\n").utf8))
            exit(64)
        }
        do {
            let run = try await LadderRun(
                file: arguments[1], folder: arguments[2], tools: MediaTools(threads: threads))
            print(String(decoding: try JSON.encode(try await run.report()), as: UTF8.self))
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }
}

/// A file's source rendition in memory, and its ladder.
struct LadderRun {
    private let tools: MediaTools
    private let folder: String
    private let ladder: LadderPlan
    private let bytes: [UInt8]
    private let planner: SegmentPlanner

    init(file: String, folder: String, tools: MediaTools) async throws {
        self.tools = tools
        self.folder = folder
        let info = try await MediaProbe(tools).examine(file)
        let plan = RenditionPlan(for: info)
        var planner = SegmentPlanner()
        var bytes: [UInt8] = []
        try await RenditionProducer(tools).produce(file, plan) { event in
            switch event {
            case .initialization(let header):
                planner.begin(header)
                bytes += header.bytes
            case .fragment(let fragment):
                planner.add(fragment)
                bytes += fragment.bytes
            }
        }
        self.planner = planner
        self.bytes = bytes
        ladder = try LadderPlan(width: plan.width, height: plan.height, frameRate: info.video.frameRateAverage)
    }

    func report() async throws -> LadderBench.Report {
        let segments = planner.segments.map {
            SourceSegment(startSeconds: $0.startSeconds, durationSeconds: $0.durationSeconds)
        }
        let plan = WorkUnitPlan(segments: segments, labels: ladder.rungs.map(\.label))
        var report = LadderBench.Report()
        report.unitCount = plan.units.count
        var began: Set<String> = []
        for unit in plan.units {
            let scratch = try ScratchFolder(in: folder)
            let made = try await measured(&report.encodeProcessorSeconds) {
                try await UnitEncoder(tools).encode(unit, of: ladder, in: scratch, source: reader(unit.sourceSegments))
            }
            try await measured(&report.verifyProcessorSeconds) {
                try await made.verify(unit, of: ladder, tools: tools)
            }
            for stream in made.streams { try await join(stream, isFirst: began.insert(stream.label).inserted) }
            if unit.labels.contains(ladder.rungs[0].label) { report.pictureCount += made.pictureCount }
        }
        let scratch = try ScratchFolder(in: folder)
        _ = try await measured(&report.encodeProcessorSeconds) {
            try await AudioEncoder(tools).encode(
                bitsPerSecond: ladder.audioBitsPerSecond, in: scratch, source: reader(segments.indices))
        }
        return report
    }

    private func reader(_ wanted: Range<Int>) -> () async throws -> [UInt8]? {
        var pieces = [0..<planner.initializationBytes]
        pieces += planner.segments[wanted].map { $0.offsetBytes..<$0.offsetBytes + $0.sizeBytes }
        var rest = pieces[...]
        return { rest.popFirst().map { Array(bytes[$0]) } }
    }

    /// Appends a part to its rung's file.
    private func join(_ stream: EncodedStream, isFirst: Bool) async throws {
        var part = isFirst ? Data(stream.initialization) : Data()
        for segment in stream.segments { part += try await stream.bytes(of: segment) }
        let file = URL(filePath: "\(folder)/\(stream.label).mp4")
        guard !isFirst else { return try part.write(to: file) }
        let handle = try FileHandle(forWritingTo: file)
        try handle.seekToEnd()
        try handle.write(contentsOf: part)
        try handle.close()
    }

    private func measured<Value>(_ seconds: inout Double, _ work: () async throws -> Value) async throws -> Value {
        let before = Self.processorSeconds
        let value = try await work()
        seconds += Self.processorSeconds - before
        return value
    }

    /// Of this process and of its children that have ended.
    private static var processorSeconds: Double {
        [RUSAGE_SELF.rawValue, RUSAGE_CHILDREN.rawValue].reduce(0) { sum, who in
            var usage = rusage()
            getrusage(__rusage_who_t(who), &usage)
            return sum + [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
        }
    }
}
