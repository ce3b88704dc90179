import ArgumentParser
import Server

/// The program. It reads its configuration from the environment and serves until a signal stops it.
@main
struct ReengagementAPI: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reengagement-api",
        abstract: "Answers the Reengagement API behind nginx, over FastCGI.",
        discussion: "It is configured by environment variables alone; docs/running.md lists them.",
        version: serverVersion)

    @Flag(help: "Check the environment, report each error, and exit.")
    var checkConfig = false

    func run() throws {
        let status = checkConfig ? Launcher.checkConfiguration() : Launcher.serve()
        if status != 0 { throw ExitCode(status) }
    }
}
