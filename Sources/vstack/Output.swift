import Foundation

/// Standard output, unbuffered, so that a line is seen when it is said, in a pipe too.
enum Output {
    static func line(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
}
