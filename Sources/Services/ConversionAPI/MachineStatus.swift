import Base
import Foundation
import HTTPClient
import HTTPTypes
import TemporaryStorage

/// A machine that converts or encodes: `GET /worker/system-status`, and a part of `GET /api/settings/system-status`. Its
/// keys are in camel case, as those who read it have them.
package struct MachineStatus: Codable, Sendable {
    package let cpuCount: Int
    package let loadAverage: [Double]
    package let memoryTotalBytes: UInt64
    package let scratchFreeBytes: Int
    package let uptimeSec: Double

    /// - Parameter folder: whose disk is looked at.
    package init(folder: String) {
        var load = [0.0, 0.0, 0.0]
        getloadavg(&load, 3)
        cpuCount = ProcessInfo.processInfo.activeProcessorCount
        loadAverage = load
        memoryTotalBytes = ProcessInfo.processInfo.physicalMemory
        scratchFreeBytes = TemporarySpace.freeBytes(folder)
        uptimeSec = ProcessInfo.processInfo.systemUptime.rounded()
    }
}

/// An answer whose keys stay as the properties are called.
package func camelCaseResponse(_ value: some Encodable) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Response(
        .ok, headers: ["Content-Type": "application/json"], body: .bytes([UInt8](try encoder.encode(value))))
}

extension Decodable {
    /// The value of an answer whose keys are as the properties are called.
    /// - Throws: ``Failure`` when it is something else.
    package init(camelCase answer: ClientResponse) throws(Failure) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(answer.body))
        } catch {
            throw Failure(.unavailable, "the follower answered something that is not understood", cause: error)
        }
    }
}
