/// What is to happen, in the order of time, and of entry where the time is the same.
struct EventQueue<Event> {
    struct Entry {
        let time: Int
        let order: Int
        let event: Event
    }

    /// A binary heap, the earliest entry first.
    private var heap: [Entry] = []
    private var count = 0

    mutating func add(_ event: Event, at time: Int) {
        heap.append(Entry(time: time, order: count, event: event))
        count += 1
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> Entry? {
        guard !heap.isEmpty else { return nil }
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            let children = (parent * 2 + 1)..<min(parent * 2 + 3, max(heap.count, parent * 2 + 1))
            guard let least = children.min(by: isBefore), isBefore(least, parent) else { return first }
            heap.swapAt(least, parent)
            parent = least
        }
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        (heap[a].time, heap[a].order) < (heap[b].time, heap[b].order)
    }
}
