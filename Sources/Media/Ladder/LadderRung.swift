/// One rung of the ladder, fitted to a source: a picture size and the rates it is encoded at.
package struct LadderRung: Codable, Hashable, Sendable {
    /// Also the name of its stream, such as `480p`.
    package let label: String
    /// Even, square pixels, rotation applied.
    package let width: Int
    package let height: Int
    package let videoBitsPerSecond: Int
    /// What a player's buffer must bear (VBV): peak rate and size.
    package let peakBitsPerSecond: Int
    package let bufferBits: Int
    /// Of the sound that suits it.
    package let audioBitsPerSecond: Int

    package init(
        label: String, width: Int, height: Int, videoBitsPerSecond: Int, peakBitsPerSecond: Int, bufferBits: Int,
        audioBitsPerSecond: Int
    ) {
        self.label = label
        self.width = width
        self.height = height
        self.videoBitsPerSecond = videoBitsPerSecond
        self.peakBitsPerSecond = peakBitsPerSecond
        self.bufferBits = bufferBits
        self.audioBitsPerSecond = audioBitsPerSecond
    }
}

/// A rung as the ladder defines it, before a source is fitted into its box.
struct LadderStep: Sendable {
    let label: String
    /// Of a box that lies; for an upright picture it is turned.
    let longSide: Int
    let shortSide: Int
    let videoBitsPerSecond: Int
    let peakBitsPerSecond: Int
    let bufferBits: Int
    let audioBitsPerSecond: Int

    /// Highest first.
    static let all = [
        LadderStep(
            label: "1080p", longSide: 1920, shortSide: 1080, videoBitsPerSecond: 5_800_000,
            peakBitsPerSecond: 6_400_000, bufferBits: 9_600_000, audioBitsPerSecond: 192_000),
        LadderStep(
            label: "720p", longSide: 1280, shortSide: 720, videoBitsPerSecond: 3_500_000,
            peakBitsPerSecond: 3_900_000, bufferBits: 5_800_000, audioBitsPerSecond: 160_000),
        LadderStep(
            label: "480p", longSide: 854, shortSide: 480, videoBitsPerSecond: 1_600_000,
            peakBitsPerSecond: 1_900_000, bufferBits: 3_000_000, audioBitsPerSecond: 128_000),
        lowest,
    ]

    static let lowest = LadderStep(
        label: "360p", longSide: 640, shortSide: 360, videoBitsPerSecond: 900_000, peakBitsPerSecond: 1_100_000,
        bufferBits: 2_200_000, audioBitsPerSecond: 96_000)

    /// How much a picture must shrink to fit; over 1 when it is smaller than the box.
    func scale(width: Int, height: Int) -> Double {
        min(
            Double(longSide) / Double(max(width, height)), Double(shortSide) / Double(min(width, height)))
    }

    func rung(width: Int, height: Int) -> LadderRung {
        let scale = min(1, scale(width: width, height: height))
        return LadderRung(
            label: label, width: Self.even(Double(width) * scale), height: Self.even(Double(height) * scale),
            videoBitsPerSecond: videoBitsPerSecond, peakBitsPerSecond: peakBitsPerSecond, bufferBits: bufferBits,
            audioBitsPerSecond: audioBitsPerSecond)
    }

    /// A picture smaller than the lowest box keeps its size, at rates in proportion to its area to the power of 0.75,
    /// by which the bits a pixel needs grow as pictures become smaller.
    static func ownRung(width: Int, height: Int) -> LadderRung {
        let (wide, high) = (even(Double(width)), even(Double(height)))
        let boxArea = Double(lowest.longSide * lowest.shortSide)
        let area = (Double(wide * high) / boxArea).squareRoot()
        let share = min(1, max(0.1, area * area.squareRoot()))
        func rate(_ bits: Int) -> Int { Int(Double(bits) * share / 1000) * 1000 }
        return LadderRung(
            label: QualityLabel.label(width: wide, height: high), width: wide, height: high,
            videoBitsPerSecond: rate(lowest.videoBitsPerSecond), peakBitsPerSecond: rate(lowest.peakBitsPerSecond),
            bufferBits: rate(lowest.bufferBits), audioBitsPerSecond: lowest.audioBitsPerSecond)
    }

    /// 4:2:0 has one colour sample for two pixels each way.
    private static func even(_ side: Double) -> Int { max(2, Int((side / 2).rounded()) * 2) }
}
