/// All chance of a simulation: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). The same seed is the same sequence on every
/// machine.
struct SimulationRandom {
    private var state: UInt64

    /// Seeds that follow each other give unrelated sequences.
    init(seed: UInt64) {
        state = seed
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }

    /// 0 to `bound` - 1. The bias is below 2⁻⁴⁰ for the bounds in use.
    mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    mutating func chance(permille: Int) -> Bool { permille > 0 && below(1000) < permille }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}
