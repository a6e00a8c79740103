import Base
import Foundation
import Synchronization

/// Says how far long work is, on standard error: a bar that is drawn over itself on a terminal, a plain line now and
/// then in a pipe.
final class Progress: Sendable {
    private struct State {
        var lastPercent = -1
        var lastLabel = ""
    }

    private static let barWidth = 30
    /// In a pipe, a line each so many percent.
    private static let linePercent = 10

    private let state = Locked(State())
    private let isTerminal = isatty(STDERR_FILENO) == 1

    /// - Parameters:
    ///   - fraction: 0 to 1.
    ///   - detail: what to say beside it, such as `12.0 of 60.0 MiB`.
    func show(_ label: String, _ fraction: Double, _ detail: String = "") {
        let percent = Int((min(max(fraction, 0), 1) * 100).rounded(.down))
        let line = state.withLock { state -> String? in
            guard percent != state.lastPercent || label != state.lastLabel else { return nil }
            let isNews = label != state.lastLabel || percent >= state.lastPercent + Self.linePercent || percent == 100
            guard isTerminal || isNews else { return nil }
            state = State(lastPercent: percent, lastLabel: label)
            return isTerminal
                ? bar(label, percent, detail) : "\(label): \(percent) %\(detail.isEmpty ? "" : " (\(detail))")\n"
        }
        if let line { write(line) }
    }

    /// Ends a bar, so that what follows begins on a line of its own.
    func finish() {
        let wasShown = state.withLock { state in
            defer { state = State() }
            return state.lastPercent >= 0
        }
        if isTerminal, wasShown { write("\n") }
    }

    private func bar(_ label: String, _ percent: Int, _ detail: String) -> String {
        let filled = percent * Self.barWidth / 100
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.barWidth - filled)
        // Carriage return, then erase to the end of the line: the bar replaces the one before.
        return "\r\u{1B}[K\(label) \(bar) \(percent) % \(detail)"
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
