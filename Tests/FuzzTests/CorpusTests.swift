import Foundation
import SimulatedDisk
import Testing

@Suite("Bytes of strangers")
struct CorpusTests {
    @Test("no input that ever was a problem is one", arguments: FuzzTarget.allCases)
    func corpus(_ target: FuzzTarget) throws {
        let inputs = try Self.inputs(target)
        #expect(!inputs.isEmpty)
        for input in inputs { target.run(input) }
    }

    @Test("nor is what chance makes of it", arguments: FuzzTarget.allCases)
    func mutations(_ target: FuzzTarget) throws {
        let inputs = try Self.inputs(target)
        var random = SplitMix(seed: 1)
        for _ in 0..<200 {
            var input = random.pick(inputs)
            for _ in 0...random.below(8) where !input.isEmpty {
                input[random.below(input.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            target.run(random.oneIn(4) ? Array(input.prefix(random.below(input.count + 1))) : input)
        }
    }

    private static func inputs(_ target: FuzzTarget) throws -> [[UInt8]] {
        let folder = Bundle.module.bundleURL.appendingPathComponent("Corpus/\(target.rawValue)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }.map { [UInt8](try Data(contentsOf: $0)) }
    }
}
