/// The order in which people sort names: `part 2` before `part 10`, whatever the case.
package enum NaturalOrder {
    package static func isBefore(_ a: String, _ b: String) -> Bool {
        let (first, second) = (pieces(a.lowercased()), pieces(b.lowercased()))
        for (one, other) in zip(first, second) where one != other { return one < other }
        return first.count == second.count ? a < b : first.count < second.count
    }

    private enum Piece: Comparable {
        /// Digits without leading zeros: the longer is the larger.
        case number(String)
        case text(String)

        static func < (a: Piece, b: Piece) -> Bool {
            switch (a, b) {
            case (.number(let a), .number(let b)): a.count == b.count ? a < b : a.count < b.count
            case (.text(let a), .text(let b)): a < b
            case (.number, .text): true
            case (.text, .number): false
            }
        }
    }

    private static func pieces(_ text: String) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text[...]
        while let first = rest.first {
            let isNumber = isDigit(first)
            let run = rest.prefix { isDigit($0) == isNumber }
            rest = rest[run.endIndex...]
            pieces.append(isNumber ? .number(String(run.drop { $0 == "0" })) : .text(String(run)))
        }
        return pieces
    }

    private static func isDigit(_ character: Character) -> Bool { character.isASCII && character.isNumber }
}
