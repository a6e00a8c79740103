/// Which renditions are made of a source. Pure; the same source and wishes always give the same plan.
///
/// Invariants: no rung is larger than the source; sides are even; the aspect is the source's to a pixel; labels differ.
package struct LadderPlan: Codable, Hashable, Sendable {
    /// What may be asked for, highest first.
    package static let labels = LadderStep.all.map(\.label)
    /// Megabits per second below which only the lowest rung is made, and those up to 480p.
    private static let speedOfLowest = 1.0
    private static let speedOfMiddle = 5.0
    private static let labelsOfMiddle: Set<String> = ["480p", "360p"]
    /// A picture a little smaller than a rung's box still is that rung, such as 1916×1076.
    private static let tolerance = 0.97

    /// Highest first.
    package let rungs: [LadderRung]
    /// Labels that were asked for and are larger than the source, highest first.
    package let skipped: [String]
    /// Frames a second, where the source has a steady rate or an average.
    package let frameRate: Double?

    /// - Parameters:
    ///   - width: of the picture as it is shown: square pixels, rotation applied.
    ///   - networkSpeed: megabits per second of those who watch.
    ///   - qualities: labels that are wanted whatever the network's speed; nil or empty for all.
    /// - Throws: ``MediaError`` of code `unknownQuality` that lists the labels.
    package init(
        width: Int, height: Int, frameRate: Double? = nil, networkSpeed: Double = 10, qualities: [String]? = nil
    ) throws(MediaError) {
        let wanted = try Self.wanted(networkSpeed: networkSpeed, qualities: qualities)
        let (width, height) = (max(1, width), max(1, height))
        self.frameRate = frameRate
        guard LadderStep.lowest.scale(width: width, height: height) * Self.tolerance <= 1 else {
            let own = LadderStep.ownRung(width: width, height: height)
            rungs = [own]
            skipped = (qualities ?? []).isEmpty ? [] : wanted.map(\.label).filter { $0 != own.label }
            return
        }
        let reached = wanted.filter { $0.scale(width: width, height: height) * Self.tolerance <= 1 }
        rungs = reached.map { $0.rung(width: width, height: height) }
        skipped = wanted.dropLast(reached.count).map(\.label)
    }

    init(rungs: [LadderRung], skipped: [String] = [], frameRate: Double? = nil) {
        self.rungs = rungs
        self.skipped = skipped
        self.frameRate = frameRate
    }

    /// Bits per second of the one sound rendition that goes with every rung.
    package var audioBitsPerSecond: Int {
        rungs.map(\.audioBitsPerSecond).max() ?? LadderStep.lowest.audioBitsPerSecond
    }

    private static func wanted(networkSpeed: Double, qualities: [String]?) throws(MediaError) -> [LadderStep] {
        if let qualities, !qualities.isEmpty {
            for label in qualities where !labels.contains(label) {
                throw MediaError(
                    .unknownQuality,
                    "unknown quality '\(label.prefix(40))': choose from \(labels.joined(separator: ", "))")
            }
            return LadderStep.all.filter { qualities.contains($0.label) }
        }
        if networkSpeed < speedOfLowest { return [LadderStep.lowest] }
        return LadderStep.all.filter { networkSpeed >= speedOfMiddle || labelsOfMiddle.contains($0.label) }
    }
}
