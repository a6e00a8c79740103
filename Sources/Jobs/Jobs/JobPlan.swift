import Base

/// The units that a video is to be made of, before any is entered.
package struct JobPlan: Hashable, Sendable {
    package struct Unit: Hashable, Sendable {
        package let task: UnitTask
        package let priority: Int

        package init(task: UnitTask, priority: Int) {
            self.task = task
            self.priority = priority
        }
    }

    /// A rendition that its units make.
    package struct Rung: Hashable, Sendable {
        package let label: RungLabel
        package let kind: UnitTask.Kind
        /// In pixels; zero of sound.
        package let width: Int
        package let height: Int
        package let frameRate: Double?

        package init(label: RungLabel, kind: UnitTask.Kind, width: Int, height: Int, frameRate: Double?) {
            self.label = label
            self.kind = kind
            self.width = width
            self.height = height
            self.frameRate = frameRate
        }
    }

    /// The best first.
    package let rungs: [Rung]
    package let units: [Unit]

    package init(rungs: [Rung], units: [Unit]) {
        self.rungs = rungs
        self.units = units
    }

    /// How many units make the rendition.
    package func unitCount(of label: RungLabel) -> Int { units.count { $0.task.rungs.contains(label) } }

    /// Whoever presses play waits for the first unit of a video, and for its sound.
    package enum Priority {
        package static let first = 0
        package static let audio = 1
        package static let rest = 10
    }
}
