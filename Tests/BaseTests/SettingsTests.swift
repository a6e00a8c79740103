import Base
import Testing

@Suite("Settings")
struct SettingsTests {
    @Test("a flag wins over the environment, and an empty value counts as absent")
    func precedence() {
        let settings = Settings(environment: ["A": "env", "B": "", "C": "env"], overrides: ["A": "flag"])
        #expect(settings.text("A") == "flag")
        #expect(settings.text("B", default: "fallback") == "fallback")
        #expect(settings.textAllowingEmpty("B")?.isEmpty == true)
        #expect(settings.setting("C", to: "set").text("C") == "set")
        #expect(settings.text("B", "C") == "env")
    }

    @Test("a value out of range is an error that names the setting and the range")
    func ranges() throws {
        let settings = Settings(environment: ["PORT": "70000", "N": "x", "OK": "8080"])
        #expect(try settings.integer("OK", default: 1, in: 0...65_535) == 8080)
        #expect(try settings.integer("ABSENT", default: 7) == 7)
        for name in ["PORT", "N"] {
            #expect {
                _ = try settings.integer(name, default: 1, in: 0...65_535)
            } throws: { error in
                let message = (error as? Failure)?.message ?? ""
                return message.contains(name) && message.contains("0…65535")
            }
        }
    }

    @Test("lists leave out what is empty")
    func lists() {
        #expect(Settings(environment: ["L": "a, b,,c ,"]).list("L") == ["a", "b", "c"])
    }
}
