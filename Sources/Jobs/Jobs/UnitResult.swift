import Base

/// What a follower says it has made of a unit.
package struct UnitResult: Hashable, Sendable {
    /// A segment within the bytes of the unit's stream.
    package struct Segment: Hashable, Sendable {
        package let offsetBytes: Int
        package let sizeBytes: Int
        package let startSec: Double
        package let durationSec: Double

        package init(offsetBytes: Int, sizeBytes: Int, startSec: Double, durationSec: Double) {
            self.offsetBytes = offsetBytes
            self.sizeBytes = sizeBytes
            self.startSec = startSec
            self.durationSec = durationSec
        }
    }

    package struct Rung: Hashable, Sendable {
        package let label: RungLabel
        /// RFC 6381, such as `avc1.4d401e`.
        package let codecs: String
        /// Of the initialization segment at the start of the stream, and its length: the same for all units of a
        /// rendition.
        package let initialization: SHA256Digest
        package let initializationBytes: Int
        /// Pictures, or frames of sound.
        package let frameCount: Int
        package let segments: [Segment]

        package init(
            label: RungLabel, codecs: String, initialization: SHA256Digest, initializationBytes: Int, frameCount: Int,
            segments: [Segment]
        ) {
            self.label = label
            self.codecs = codecs
            self.initialization = initialization
            self.initializationBytes = initializationBytes
            self.frameCount = frameCount
            self.segments = segments
        }

        /// How long the stream must be.
        package var endBytes: Int { segments.last.map { $0.offsetBytes + $0.sizeBytes } ?? initializationBytes }
    }

    package let rungs: [Rung]

    package init(rungs: [Rung]) { self.rungs = rungs }

    /// How far a segment may begin from where the one before ends: far above what timescales round away, and less than a
    /// picture at 20 a second.
    private static let continuitySecMax = 0.05
    /// How far a result may begin and end from where the task does: its first picture may be shown a while after the
    /// task's begin, and the last for a while after its end. Whether none is missing, the follower has checked.
    private static let displacementSecMax = 6.0
    private static let sizeBytesMax = 1 << 40

    /// What is wrong with it as the result of this task, as far as a list of segments can tell; nil when nothing is.
    package func defect(as task: UnitTask) -> String? {
        guard rungs.map(\.label).sorted() == task.rungs.sorted() else {
            return "it has \(Self.list(rungs.map(\.label))) where \(Self.list(task.rungs)) were asked for"
        }
        for rung in rungs {
            if let defect = rung.defect(tolerance: Self.continuitySecMax, sizeMax: Self.sizeBytesMax) {
                return "\(rung.label): \(defect)"
            }
            if task.kind == .video, let defect = rung.displacement(from: task, tolerance: Self.displacementSecMax) {
                return "\(rung.label): \(defect)"
            }
        }
        if task.kind == .video, let first = rungs.first,
            let other = rungs.first(where: { $0.frameCount != first.frameCount })
        {
            return "\(other.label) has \(other.frameCount) pictures and \(first.label) \(first.frameCount)"
        }
        return nil
    }

    private static func list(_ labels: [RungLabel]) -> String {
        labels.isEmpty ? "nothing" : labels.sorted().map(\.description).joined(separator: ", ")
    }
}

extension UnitResult.Rung {
    /// Segments follow each other without a gap, in bytes and in time.
    fileprivate func defect(tolerance: Double, sizeMax: Int) -> String? {
        guard frameCount > 0, !codecs.isEmpty, initializationBytes > 0, initializationBytes <= sizeMax,
            !segments.isEmpty
        else {
            return "it is empty"
        }
        var end = (bytes: initializationBytes, sec: segments[0].startSec)
        for (index, segment) in segments.enumerated() {
            guard segment.offsetBytes == end.bytes, (1...sizeMax).contains(segment.sizeBytes), end.bytes <= sizeMax
            else {
                return "segment \(index) does not begin where the one before ends"
            }
            guard segment.startSec.isFinite, segment.durationSec.isFinite, segment.durationSec > 0,
                abs(segment.startSec - end.sec) <= tolerance
            else { return "segment \(index) begins at \(segment.startSec) s instead of \(end.sec) s" }
            end = (end.bytes + segment.sizeBytes, segment.startSec + segment.durationSec)
        }
        return nil
    }

    fileprivate func displacement(from task: UnitTask, tolerance: Double) -> String? {
        guard let first = segments.first, let last = segments.last else { return "it is empty" }
        guard abs(first.startSec - task.startSec) <= tolerance else {
            return "it begins at \(first.startSec) s instead of \(task.startSec) s"
        }
        let end = last.startSec + last.durationSec
        guard abs(end - task.endSec) <= tolerance else { return "it ends at \(end) s instead of \(task.endSec) s" }
        return nil
    }
}
