/// Takes a fragmented MP4 apart while it arrives, in pieces of any length: the initialization segment, then fragments.
///
/// Pure, and bounded: it holds one fragment at most. Bytes that break the format or a limit throw, after which the
/// parser must not be fed again.
package struct FragmentParser: Sendable {
    package enum Event: Sendable {
        case initialization(InitializationSegment)
        case fragment(Fragment)
    }

    package struct Limits: Sendable {
        /// `ftyp` and `moov` together.
        package var initializationBytesMax = 4 * 1024 * 1024
        /// A fragment with all its boxes: two seconds of 250 Mbit/s.
        package var fragmentBytesMax = 64 * 1024 * 1024

        package init() {}
    }

    /// What is complete of the unit under way, and the box that is arriving.
    private var unit: [UInt8] = []
    /// Where in `unit` the box that is arriving begins, and how long it is once its header says so.
    private var boxStart = 0
    private var box: (type: FourCC, size: Int)?
    /// The fragment's `moof`, once it is there.
    private var fragmentTracks: [TrackFragment]?
    private var initialization: InitializationSegment?
    /// Composition offset of the first picture: the constant between decoding and showing.
    private var firstOffset: Int64?
    private let limits: Limits

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Takes the next bytes and gives what became complete by them, in order.
    package mutating func feed(_ bytes: [UInt8]) throws(MediaError) -> [Event] {
        var events: [Event] = []
        var rest = bytes[...]
        while true {
            if let box {
                let missing = boxStart + box.size - unit.count
                unit += rest.prefix(missing)
                rest = rest.dropFirst(missing)
                guard unit.count == boxStart + box.size else { break }
                if let event = try complete(box.type) { events.append(event) }
            } else {
                guard !rest.isEmpty else { break }
                try readHeader(&rest)
            }
        }
        return events
    }

    /// - Throws: ``MediaError`` when the bytes ended within a box, or before there was any.
    package mutating func finish() throws(MediaError) {
        guard initialization != nil else { throw BoxReader.malformed("it ends before its header") }
        guard box == nil, unit.count == boxStart, fragmentTracks == nil else {
            throw BoxReader.malformed("it ends within a fragment")
        }
    }

    /// Moves bytes until the box's header is whole: 8 bytes, or 16 where the size is a long one.
    private mutating func readHeader(_ rest: inout ArraySlice<UInt8>) throws(MediaError) {
        let have = unit.count - boxStart
        let needed = have >= 8 && isLongHeader ? 16 : 8
        let taken = rest.prefix(needed - have)
        unit += taken
        rest = rest.dropFirst(taken.count)
        guard unit.count - boxStart == needed, !(needed == 8 && isLongHeader) else { return }
        try begin(headerBytes: needed)
    }

    private var isLongHeader: Bool { unit[boxStart..<boxStart + 4].elementsEqual([0, 0, 0, 1]) }

    private mutating func begin(headerBytes: Int) throws(MediaError) {
        var header = BoxReader(unit[boxStart...])
        var size = UInt64(try header.u32())
        let type = FourCC(try header.u32())
        if headerBytes == 16 { size = try header.u64() }
        let limit = initialization == nil ? limits.initializationBytesMax : limits.fragmentBytesMax
        guard size >= UInt64(headerBytes) else { throw BoxReader.malformed("the box '\(type)' has no length") }
        guard size <= UInt64(limit), boxStart + Int(size) <= limit else {
            throw BoxReader.malformed("the box '\(type)' is longer than \(limit) bytes")
        }
        box = (type, Int(size))
        if boxStart + Int(size) > unit.capacity { unit.reserveCapacity(boxStart + Int(size)) }
    }

    private mutating func complete(_ type: FourCC) throws(MediaError) -> Event? {
        box = nil
        defer { boxStart = unit.count }
        guard let initialization else { return try completeInitialization(type) }
        switch type {
        case "moof":
            guard fragmentTracks == nil else { throw BoxReader.malformed("a fragment has no data") }
            guard let body = try body() else { throw BoxReader.malformed("a fragment has no header") }
            fragmentTracks = try TrackFragment.all(in: body, initialization)
        case "mdat":
            guard let tracks = fragmentTracks else { throw BoxReader.malformed("there are data without a fragment") }
            fragmentTracks = nil
            return try fragment(tracks, initialization).map(Event.fragment)
        case "styp", "sidx", "prft", "emsg", "uuid", "free", "skip": break
        default:
            // An index of the whole file (`mfra`) and the like: it does not belong to a stream of fragments.
            unit.removeSubrange(boxStart...)
        }
        return nil
    }

    private mutating func completeInitialization(_ type: FourCC) throws(MediaError) -> Event? {
        guard type == "moov" else {
            guard type != "moof", type != "mdat" else { throw BoxReader.malformed("media come before the header") }
            return nil
        }
        let segment = try InitializationSegment(bytes: unit)
        initialization = segment
        unit = []
        return .initialization(segment)
    }

    private func body() throws(MediaError) -> ArraySlice<UInt8>? {
        var reader = BoxReader(unit[boxStart...])
        return try reader.box()?.body
    }

    private mutating func fragment(_ tracks: [TrackFragment], _ initialization: InitializationSegment)
        throws(MediaError) -> Fragment?
    {
        let bytes = unit
        unit = []
        let video = initialization.video
        guard let timed = tracks.first(where: { $0.trackID == video?.id }) ?? tracks.first,
            let track = initialization.tracks.first(where: { $0.id == timed.trackID })
        else { return nil }
        let isPicture = track.id == video?.id
        if isPicture, firstOffset == nil { firstOffset = timed.firstCompositionOffset }
        let shift = Double(isPicture ? firstOffset ?? 0 : 0) - Double(track.mediaStart)
        let timescale = Double(track.timescale)
        return Fragment(
            bytes: bytes, startSeconds: max(0, (Double(timed.decodeTime) + shift) / timescale + track.delaySeconds),
            durationSeconds: Double(timed.duration) / timescale,
            startsWithKeyframe: isPicture && timed.firstSampleIsKeyframe, frameCount: isPicture ? timed.sampleCount : 0)
    }
}
