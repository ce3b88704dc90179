import ArgumentParser
import Server

/// The program. It reads its configuration from the environment and runs until a signal stops it.
@main
struct ReengagementAPI: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reengagement-api",
        abstract: "Answers the Reengagement API behind nginx, over FastCGI, and sends webhooks and digests.",
        discussion: "It is configured by environment variables alone; docs/running.md lists them.",
        version: serverVersion)

    /// What the process does.
    enum Work: String, CaseIterable, ExpressibleByArgument {
        case serve, deliver
    }

    @Argument(help: "serve: answer requests. deliver: send webhooks and digests.")
    var work = Work.serve

    @Flag(help: "Check the environment, report each error, and exit.")
    var checkConfig = false

    func run() throws {
        let status =
            switch work {
            case .serve: checkConfig ? Launcher.checkConfiguration() : Launcher.serve()
            case .deliver: checkConfig ? Launcher.checkSenderConfiguration() : Launcher.deliver()
            }
        if status != 0 { throw ExitCode(status) }
    }
}
