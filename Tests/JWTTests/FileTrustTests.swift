import Foundation
import Testing

@testable import Files
@testable import JWT

@Suite struct FileTrustTests {
    private let folder: TemporaryFolder
    private let path: String
    /// The folder's path as it appears in reasons.
    private let place: String

    init() throws {
        folder = try TemporaryFolder()
        place = folder.path.replacing("//", with: "/")
        try FileManager.default.createDirectory(atPath: folder.path + "/a/b", withIntermediateDirectories: true)
        path = place + "/a/b/key"
        try Data("x".utf8).write(to: URL(fileURLWithPath: path))
        try set(0o755, "", "/a", "/a/b")
        try set(0o644, "/a/b/key")
    }

    private func set(_ mode: mode_t, _ names: String...) throws {
        for name in names { try #require(chmod(folder.path + name, mode) == 0) }
    }

    private func reason(_ path: String) -> String? { FileTrust().reason(path) }

    @Test("A file that no other user may change is trusted, on any path to it")
    func good() throws {
        #expect(reason(path) == nil)
        #expect(reason(folder.path + "/a/./b//../b/key") == nil)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: "a/b")
        #expect(reason(folder.path + "/link/key") == nil)
        try set(0o600, "/a/b/key")
        #expect(reason(path) == nil)
    }

    @Test(
        "A file is not trusted if other users may write to it or to a folder above it",
        arguments: ["/a/b/key", "/a/b", "/a", ""])
    func othersMayWrite(_ name: String) throws {
        let mode: mode_t = name == "/a/b/key" ? 0o644 : 0o755
        try set(mode | 0o002, name)
        #expect(reason(path)?.contains("all users may write to \(place + name) (chmod o-w)") == true)
        try set(mode | 0o020, name)
        #expect(reason(path) == nil)
        // Only root may give files to other groups and users.
        guard geteuid() == 0 else { return }
        #expect(chown(folder.path + name, 0, getegid() + 1) == 0)
        #expect(reason(path)?.contains("the group \(getegid() + 1) may write to \(place + name)") == true)
        try set(mode, name)
        #expect(reason(path) == nil)
        #expect(chown(folder.path + name, 4711, getegid()) == 0)
        #expect(reason(path)?.contains("belongs to the user 4711") == true)
    }

    @Test("All users may write to a sticky folder, where no user can move another's file")
    func sticky() throws {
        try set(0o1777, "/a")
        #expect(reason(path) == nil)
        guard geteuid() == 0 else { return }
        #expect(chown(folder.path + "/a/b", 4711, 0) == 0)
        #expect(reason(path) != nil)
    }

    @Test("The target of a link and the folder of the link must both be trusted")
    func links() throws {
        try FileManager.default.createDirectory(atPath: folder.path + "/open", withIntermediateDirectories: true)
        try set(0o777, "/open")
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/open/key", withDestinationPath: path)
        #expect(reason(folder.path + "/open/key")?.contains("/open (chmod o-w)") == true)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/key", withDestinationPath: "open/key")
        #expect(reason(folder.path + "/key")?.contains("/open (chmod o-w)") == true)
        try set(0o1777, "/open")
        #expect(reason(folder.path + "/key") == nil)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/loop", withDestinationPath: "loop")
        #expect(reason(folder.path + "/loop") == nil && reason(folder.path + "/missing/x") == nil)
    }

    @Test("An untrusted file is refused at the start with the name of its variable")
    func refused() throws {
        try Data(jwks(SigningKey.first.jwk("first")).utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: Never.self) { try KeySet.check(.jwksFile(path)) }
        try set(0o646, "/a/b/key")
        for source in [KeySource.jwksFile(path), .jwksURL("https://x.test/", caFile: path)] {
            #expect {
                try KeySet.check(source)
            } throws: {
                "\($0)".contains("names a file that others can change: all users may write to \(path)")
            }
        }
        #expect(throws: KeySourceError.self) { try DenyList.check(path: path) }
    }
}
