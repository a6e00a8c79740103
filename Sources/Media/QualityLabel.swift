/// The name of a picture size, as people say it: `1080p`.
package enum QualityLabel {
    private static let rungs = [4320, 2160, 1440, 1080, 720, 480, 360, 240, 144]
    /// A picture a little smaller than a rung still carries its name, such as 1920×1072.
    private static let tolerance = 0.97

    /// The highest rung that the picture reaches by its short side, or by the long side of a wide picture: 1920×800 is
    /// a cinema film in 1080p. Below the lowest rung the short side itself, `90p`.
    package static func label(width: Int, height: Int) -> String {
        let short = min(width, height)
        let lines = max(short, max(width, height) * 9 / 16)
        let isStrip = short * 4 < max(width, height)
        let reached = Double(isStrip ? short : lines) / tolerance
        return "\(rungs.first { Double($0) <= reached } ?? short)p"
    }
}
