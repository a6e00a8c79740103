import Base
import Glibc
import HTTPTypes
import Synchronization

/// What every request of a server needs, whichever thread it is on.
final class ServerCore: Sendable {
    let configuration: ServerConfiguration
    let log: Logger
    let metrics: ServerMetrics
    let slowClients: SlowClientGuard
    private let router: Router
    private let stopping = Atomic<Bool>(false)
    private let ending = Atomic<Bool>(false)
    private let requestCount = Atomic<UInt32>(0)
    private let requestPrefix = UInt32.random(in: 0...0xff_ffff)

    init(configuration: ServerConfiguration, router: Router, metrics: Metrics, log: Logger) {
        self.configuration = configuration
        self.router = router
        self.log = log
        let dropped = Counter()
        slowClients = SlowClientGuard(configuration: configuration) { dropped.add() }
        self.metrics = ServerMetrics(metrics, slowClients: slowClients, dropped: dropped)
    }

    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    func beginStopping() { stopping.store(true, ordering: .relaxed) }

    /// Whether a stopping server waits for no handler any more.
    var isEnding: Bool { ending.load(ordering: .sequentiallyConsistent) }

    func beginEnding() { ending.store(true, ordering: .sequentiallyConsistent) }

    func allowedOrigin(_ origin: String, host: String?) -> String? {
        configuration.crossOrigin.allows(origin: origin, host: host) ? origin : nil
    }

    /// What the request's route says, or what the server itself says where there is none.
    func reply(to view: ConnectionView) throws -> Reply {
        switch router.match(view.method, view.pathBytes) {
        case .found(let handler, let parameters):
            view.parameters = parameters
            return try handler(view)
        case .notFound:
            let path = PercentEncoding.decode(view.path).prefix(200)
            return .respond(.detail(.notFound, "there is nothing at \(path); /docs lists what there is"))
        case .methodNotAllowed(let allow):
            let names = allow.map(\.rawValue).joined(separator: ", ")
            if view.method == .options { return .respond(CrossOriginPolicy.preflight(view, allow: names)) }
            var response = Response.detail(
                .methodNotAllowed, "\(view.method.rawValue) is not allowed here; allowed are \(names)")
            response.headers.add("Allow", names)
            return .respond(response)
        }
    }

    /// Unique in the process.
    func makeRequestID() -> String {
        let number = requestCount.wrappingAdd(1, ordering: .relaxed).newValue
        // 15 bytes, which a string holds without heap.
        return String(unsafeUninitializedCapacity: 15) { output in
            Self.writeHex(requestPrefix, digits: 6, to: output)
            output[6] = UInt8(ascii: "-")
            Self.writeHex(number, digits: 8, to: UnsafeMutableBufferPointer(rebasing: output[7...]))
            return 15
        }
    }

    /// Seconds of a clock that only goes forward.
    static func monotonicSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func writeHex(_ value: UInt32, digits: Int, to output: UnsafeMutableBufferPointer<UInt8>) {
        for index in 0..<digits {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt32((digits - 1 - index) * 4)) & 15
            output[index] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
    }
}

extension CrossOriginPolicy {
    private static let exposed = "ETag, Location, Content-Range, X-Request-ID, X-Chunk-Size"

    /// What every answer to an allowed page carries.
    static func add(to headers: inout HTTPHeaders, for origin: String) {
        headers.add("Access-Control-Allow-Origin", origin)
        headers.add("Vary", "Origin")
        headers.add("Access-Control-Expose-Headers", exposed)
    }

    /// The answer to OPTIONS: what is allowed here, and for a browser's preflight under which headers.
    static func preflight(_ view: any RequestView, allow: String) -> Response {
        var response = Response(.noContent, headers: ["Allow": allow])
        if view.header("Access-Control-Request-Method") != nil {
            response.headers.add("Access-Control-Allow-Methods", allow)
            response.headers.add("Access-Control-Max-Age", "600")
            if let wanted = view.header("Access-Control-Request-Headers") {
                response.headers.add("Access-Control-Allow-Headers", wanted)
            }
        }
        return response
    }
}
