import Base
import Testing

@Suite struct JSONTests {
    private enum Colour: String, Decodable { case red, green }

    private struct Paint: Decodable {
        let colour: Colour
        let tinsLeft: Int
    }

    @Test(
        "what is wrong with a body is told by the field's name on the wire, and never by a Swift type's",
        arguments: [
            (#"{"colour":"mauve","tins_left":1}"#, "'colour' is 'mauve', which is none of its values"),
            (#"{"colour":"red"}"#, "'tins_left' is missing"),
            (#"{"colour":"red","tins_left":"three"}"#, "'tins_left' must be a number"),
            (#"{"colour":"#, "the body is not valid JSON"),
        ])
    func explanations(body: String, message: String) {
        let failure = #expect(throws: Failure.self) { try JSON.decode(Paint.self, from: Array(body.utf8)) }
        #expect(failure?.message == message)
        #expect(failure?.category == .invalidArgument)
    }
}
