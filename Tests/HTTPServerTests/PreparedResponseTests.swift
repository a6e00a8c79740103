import Base
import Foundation
import HTTPServer
import HTTPTypes
import Synchronization
import Testing

@Suite("A prepared answer")
struct PreparedResponseTests {
    private let head = "GET /prepared HTTP/1.1\r\nHost: localhost\r\n"

    @Test("is made once for the library, however often and on however many connections it is sent")
    func isMadeOnce() async throws {
        try await onOwnThread { [head] in
            let test = try TestServer()
            var forms = Set<ObjectIdentifier>()
            for _ in 0..<8 {
                let connection = try test.connect()
                for _ in 0..<3 {
                    connection.send(head + "\r\n")
                    let answer = try connection.answer()
                    #expect(answer.status == 200 && answer.text == "ready")
                    #expect(answer.headers["x-made"] == "once")
                    #expect(answer.headers["x-request-id"] == nil)
                    let form = test.prepared.serverForm.withLock { $0.map { ObjectIdentifier($0) } }
                    forms.insert(try #require(form))
                }
            }
            #expect(forms.count == 1)
        }
    }

    @Test("still carries what belongs to one request alone: its id, and the leave for a page of another port")
    func carriesItsOwn() async throws {
        try await onOwnThread { [head] in
            let test = try TestServer()
            let connection = try test.connect()
            connection.send(head + "X-Request-ID: mine-1\r\n\r\n")
            let named = try connection.answer()
            #expect(named.text == "ready" && named.headers["x-request-id"] == "mine-1")
            connection.send(head + "Origin: http://localhost:9999\r\n\r\n")
            let fromPage = try connection.answer()
            #expect(fromPage.text == "ready")
            #expect(fromPage.headers["access-control-allow-origin"] == "http://localhost:9999")
            // What the one before was sent with is not sent to the next.
            connection.send(head + "\r\n")
            let plain = try connection.answer()
            #expect(plain.text == "ready")
            #expect(plain.headers["x-request-id"] == nil && plain.headers["access-control-allow-origin"] == nil)
        }
    }

    @Test("also answers a request whose body nobody wants, and the connection goes on")
    func afterBody() async throws {
        try await onOwnThread { [head] in
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("POST /prepared HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            #expect(try connection.answer().text == "ready")
            connection.send(head + "\r\n")
            #expect(try connection.answer().text == "ready")
        }
    }

    @Test("is the last on its connection when the server stops")
    func whileStopping() async throws {
        try await onOwnThread { [head] in
            let test = try TestServer { $0.drainSeconds = 60 }
            let busy = try test.connect()
            test.gate.close()
            busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            let connection = try test.connect()
            connection.send(head + "\r\n")
            #expect(try connection.answer().headers["connection"] == nil)
            #expect(eventually { test.gate.waiterCount == 1 })
            let stopped = Counter()
            Thread.detachNewThread {
                test.server.stop()
                stopped.add()
            }
            #expect(eventually { (try? test.connect()) == nil })
            connection.send(head + "\r\n")
            let last = try connection.answer()
            #expect(last.text == "ready" && last.headers["connection"]?.lowercased() == "close")
            test.gate.open()
            #expect(try busy.answer().status == 200)
            #expect(eventually { stopped.value == 1 })
        }
    }
}
