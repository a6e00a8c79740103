import Base
import Digests
import Testing

@testable import TranscoderAPI

@Suite("The shared token")
struct SharedTokenTests {
    private let body = Array(#"{"follower":"one"}"#.utf8)

    private func refusal(_ gate: SharedTokenGate, _ header: String?, _ body: [UInt8]) -> ErrorCategory? {
        do throws(Failure) {
            try gate.check(header, body: body)
            return nil
        } catch {
            return error.category
        }
    }

    @Test("a signed request is let in once; another body, another token, and nothing at all are not")
    func gate() throws {
        let token = try SharedToken("a shared secret")
        let gate = SharedTokenGate(token)
        let header = token.sign(body)
        #expect(refusal(gate, header, body + [0]) == .unauthenticated)
        #expect(refusal(gate, header, body) == nil)
        #expect(refusal(gate, header, body) == .unauthenticated)
        #expect(refusal(gate, token.sign(body), body) == nil)
        #expect(refusal(gate, try SharedToken("another secret").sign(body), body) == .unauthenticated)
        for wrong in [nil, "", ":", "salt", "salt:00", ":" + String(repeating: "0", count: 64)] {
            #expect(refusal(gate, wrong, body) == .unauthenticated, "\(wrong ?? "none")")
        }
    }

    @Test("the code is HMAC-SHA256 of body and salt, as others make it")
    func form() throws {
        let code = MessageAuthentication(key: Array("a shared secret".utf8)).code(for: body + Array("pepper".utf8))
        let gate = SharedTokenGate(try SharedToken("a shared secret"))
        #expect(refusal(gate, "pepper:\(code.hex)", body) == nil)
        #expect(refusal(gate, "pepper:\(code.hex)", body) == .unauthenticated)
    }

    @Test("a short secret is none")
    func short() { #expect(throws: Failure.self) { try SharedToken("short") } }
}
