import Base
import Testing

@Suite struct LoggerTests {
    @Test(
        "a level or a form of the log that is not known is refused and named", arguments: ["LOG_LEVEL", "LOG_FORMAT"])
    func unknownValue(setting: String) {
        let settings = Settings(environment: [setting: "loud"])
        let failure = #expect(throws: Failure.self) { try Logger.configure(settings) }
        #expect(failure?.message.hasPrefix("\(setting) is 'loud'") == true)
    }
}
