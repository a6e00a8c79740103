import Base
import Foundation
import HTTPServer
import HTTPTypes
import Synchronization
import Testing

@Suite("Bodies of requests and answers")
struct BodyTests {
    @Test("asks a producer for no more than the client takes")
    func streamBackPressure() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.shrinkReceiveBuffer()
            connection.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try connection.line().hasPrefix("HTTP/1.1 200"))
            var before = -1
            // What is asked for stops growing once the sockets' buffers are full.
            #expect(
                eventually {
                    let now = test.piecesAsked.withLock { $0 }
                    usleep(50_000)
                    defer { before = now }
                    return now == before
                })
            #expect(test.piecesAsked.withLock { $0 } < 2_000)
            connection.close()
        }
    }

    @Test("answers 100 to Expect, and collects a body of either framing")
    func bodies() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try connection.line() == "HTTP/1.1 100 Continue")
            #expect(try connection.line().isEmpty)
            connection.send("hello")
            #expect(try connection.answer().text == "hello")
            connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.send("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
            #expect(try connection.answer().text == "abcdefg")
            let large = [UInt8](repeating: 9, count: 3_000_000)
            connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
            connection.send(large)
            #expect(try connection.answer().body == large)
        }
    }

    @Test("refuses a body that is too long before it is read, and one that turns out to be")
    func tooLong() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let announced = try test.connect()
            announced.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\nExpect: 100-continue\r\n\r\n")
            #expect(try announced.answer().status == 413)
            let chunked = try test.connect()
            chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 1_000_000)
            for _ in 0..<6 {
                chunked.send("F4240\r\n")
                chunked.send(piece)
                chunked.send("\r\n")
            }
            let answer = try chunked.answer()
            #expect(answer.status == 413)
            #expect(answer.text.contains("larger than"))
        }
    }

    @Test("a handler that refuses early is heard while the body is still coming")
    func earlyAnswer() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("POST /refuses HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 100_000)
            for _ in 0..<40 where connection.send(piece) < piece.count { break }
            let answer = try connection.answer()
            #expect(answer.status == 400)
            #expect(answer.text.contains("not wanted"))
        }
    }

    @Test("holds the client back while the handler is behind, and loses nothing")
    func bodyBackPressure() async throws {
        try await onOwnThread {
            let test = try TestServer()
            test.gate.close()
            let total = 64_000_000
            let connection = try test.connect()
            connection.send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: \(total)\r\n\r\n")
            let sent = Counter()
            let isDone = Counter()
            nonisolated(unsafe) let shared = connection
            Thread.detachNewThread {
                let piece = [UInt8](repeating: 1, count: 1_000_000)
                for _ in 0..<total / piece.count { sent.add(shared.send(piece)) }
                isDone.add()
            }
            #expect(eventually { test.gate.waiterCount == 1 })
            var before = -1
            #expect(
                eventually {
                    usleep(50_000)
                    defer { before = sent.value }
                    return sent.value == before
                })
            #expect(sent.value < total)
            test.gate.open()
            #expect(eventually { isDone.value == 1 })
            #expect(try connection.answer().text == "\(total)")
        }
    }

    @Test("takes a form apart, empty files and parts in any order included")
    func forms() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            let body = [
                "--edge", "Content-Disposition: form-data; name=\"title\"", "", "A film", "--edge",
                "Content-Disposition: form-data; name=\"video\"; filename=\"a.mp4\"", "Content-Type: video/mp4", "",
                "bytes", "--edge", "Content-Disposition: form-data; name=\"video\"; filename=\"empty.mp4\"", "", "",
                "--edge--", "",
            ].joined(separator: "\r\n")
            connection.send(
                "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            let answer = try connection.answer()
            #expect(answer.text == "[title|-|-]A film[video|a.mp4|video/mp4]bytes[video|empty.mp4|-]")
        }
    }

    @Test("what is no form is 415, and a form that breaks off is 400")
    func badForms() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send(
                "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            #expect(try connection.answer().status == 415)
            let half = "--edge\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA fi"
            connection.send(
                "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
                    + "Content-Length: \(half.utf8.count)\r\n\r\n\(half)")
            let broken = try connection.answer()
            #expect(broken.status == 400, "\(broken)")
        }
    }

    @Test("a sink gets the body on the server's thread and answers from its own")
    func sinks() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n\r\n")
            connection.send([UInt8](repeating: 5, count: 1_500_000))
            #expect(try connection.answer().text == "1500000")
            connection.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 2000001\r\n\r\n")
            #expect(try connection.answer().status == 413)
            let leaver = try test.connect()
            leaver.send("PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
            #expect(eventually { test.sinks.withLock { $0.last?.seen.withLock { $0.bytes } == 3 } })
            leaver.close()
            #expect(eventually { test.sinks.withLock { $0.last?.seen.withLock { $0.isAborted } == true } })
            let ends = test.sinks.withLock { $0.map { $0.seen.withLock { ($0.isFinished, $0.isAborted) } } }
            #expect(ends.map(\.0) == [true, false, false])
            #expect(ends.map(\.1) == [false, true, true])
        }
    }

    @Test("many small chunks of one body hold their client back once, and lose nothing")
    func smallChunks() async throws {
        try await onOwnThread {
            let test = try TestServer { $0.threads = 1 }
            test.gate.close()
            let piece = "64\r\n" + String(repeating: "x", count: 100) + "\r\n"
            let body = Array(String(repeating: piece, count: 20_000).utf8) + Array("0\r\n\r\n".utf8)
            let connections = try (0..<4).map { _ in try test.connect() }
            let sent = Counter()
            for connection in connections {
                connection.send("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                nonisolated(unsafe) let shared = connection
                Thread.detachNewThread { sent.add(shared.send(body)) }
            }
            #expect(eventually { test.gate.waiterCount == 4 })
            var before = -1
            #expect(
                eventually {
                    usleep(50_000)
                    let now = test.metrics.exposition.contains("http_connections 4") ? sent.value : -2
                    defer { before = now }
                    return now == before
                })
            test.gate.open()
            for connection in connections { #expect(try connection.answer().text == "2000000") }
        }
    }

    @Test("a length that the framing overrules is not believed")
    func contradictoryFraming() async throws {
        try await onOwnThread {
            let test = try TestServer()
            let connection = try test.connect()
            connection.send(
                "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                    + "Content-Length: -9223372036854775808\r\n\r\n")
            connection.send("3\r\nabc\r\n0\r\n\r\n")
            #expect(try connection.answer().text == "abc")
        }
    }
}
