import Base
import Digests
import HTTPTypes
import TemporaryStorage

/// An upload that is whole on disk.
struct ReceivedUpload: Sendable {
    let file: TemporaryFile
    let reservation: SpaceReservation
    let filename: String
    let contentType: String
    let title: String
    /// Of the whole file.
    let checksum: SHA256Digest
}

/// Takes the form of `POST /upload` apart while it arrives: `title`, and `video` onto the disk, in any order. It holds
/// two pieces of ``pieceBytes``, however long the file is.
///
/// Whatever ends it early (an error, a client that leaves) lets go of the file and the room.
struct UploadForm {
    /// Written to disk at once.
    static let pieceBytes = 1024 * 1024
    /// Room is promised in steps when the client does not say how much will come.
    static let reservationStepBytes = 64 * 1024 * 1024

    private enum Field { case video, title, other }

    let folder: String
    let name: String
    let reservation: SpaceReservation
    let bytesMax: Int
    /// Told once the file's name is known, and then the bytes received so far.
    let began: @Sendable (_ filename: String) -> Void
    let received: @Sendable (_ bytes: Int) -> Void

    private var file: TemporaryFile?
    private var filename = ""
    private var contentType = ""
    private var titleBytes: [UInt8]?
    private var pending: [UInt8] = []
    private var receivedBytes = 0
    /// The write under way, so that receiving and writing overlap.
    private var writing: Task<Void, any Error>?

    init(
        folder: String, name: String, reservation: SpaceReservation, bytesMax: Int,
        began: @escaping @Sendable (String) -> Void, received: @escaping @Sendable (Int) -> Void
    ) {
        self.folder = folder
        self.name = name
        self.reservation = reservation
        self.bytesMax = bytesMax
        self.began = began
        self.received = received
    }

    /// - Throws: ``Failure`` (400, 413, 507), or what the form throws.
    mutating func receive(_ form: FormStream) async throws -> ReceivedUpload {
        var field = Field.other
        for try await event in form {
            switch event {
            case .part(let name, let filename, _): field = try begin(name, filename)
            case .data(let bytes): try await take(bytes, field)
            }
        }
        return try await finish()
    }

    private mutating func begin(_ name: String, _ givenName: String?) throws(Failure) -> Field {
        switch name {
        case "video":
            guard file == nil else { throw Failure(.invalidArgument, "the form has more than one field 'video'") }
            (filename, contentType) = try UploadRules.file(givenName)
            file = try TemporaryFile(folder: folder, name: self.name)
            began(filename)
            return .video
        case "title":
            guard titleBytes == nil else { throw Failure(.invalidArgument, "the form has more than one field 'title'") }
            titleBytes = []
            return .title
        default: return .other
        }
    }

    private mutating func take(_ bytes: [UInt8], _ field: Field) async throws {
        switch field {
        case .other: return
        case .title:
            titleBytes?.append(contentsOf: bytes)
            guard (titleBytes?.count ?? 0) <= UploadRules.titleBytesMax else {
                throw Failure(
                    .invalidArgument, "the title is longer than \(UploadRules.titleCharactersMax) characters")
            }
        case .video:
            receivedBytes += bytes.count
            guard receivedBytes <= bytesMax else {
                throw Failure(.tooLarge, "the file is larger than \(ByteCount.text(bytesMax))")
            }
            if pending.isEmpty { pending.reserveCapacity(Self.pieceBytes + bytes.count) }
            pending += bytes
            if pending.count >= Self.pieceBytes { try await write() }
            received(receivedBytes)
        }
    }

    /// Waits for the write before, and begins the next.
    private mutating func write() async throws {
        try await writing?.value
        guard let file, !pending.isEmpty else { return }
        if reservation.outstandingBytes < pending.count { try reservation.grow(by: Self.reservationStepBytes) }
        let piece = pending
        pending = []
        let reservation = reservation
        writing = Task {
            try await file.append(piece)
            reservation.taken(piece.count)
        }
    }

    private mutating func finish() async throws -> ReceivedUpload {
        guard let file else { throw Failure(.invalidArgument, "the form field 'video' (a file) is missing") }
        guard let titleBytes else { throw Failure(.invalidArgument, "the form field 'title' is missing") }
        let title = try UploadRules.title(String(decoding: titleBytes, as: UTF8.self))
        try await write()
        try await writing?.value
        return ReceivedUpload(
            file: file, reservation: reservation, filename: filename, contentType: contentType, title: title,
            checksum: try await file.checksum())
    }
}
