import Glibc

/// Checks that no other user may change a file, the folders above it, or the links on its path.
///
/// A user who can change a key file can sign tokens, and a user who can change a folder can put another file there.
/// Files of root and of this process's user are trusted. The process's own group may write to them. All users may write
/// to a sticky folder such as `/tmp`, where no user can move another's file.
struct FileTrust {
    private let user = geteuid()
    private let group = getegid()
    private static let mostLinks = 40

    /// The reason not to trust the file at `path`, for the log. Nil if it is trusted or does not exist.
    func reason(_ path: String) -> String? {
        var place = "/"
        var names = Self.names(path.hasPrefix("/") ? path : Self.workingDirectory + "/" + path)
        var links = 0
        if let reason = step(at: place)?.text { return reason }
        while !names.isEmpty {
            let name = names.removeFirst()
            guard name != ".." else {
                place = Self.parent(place)
                continue
            }
            let next = place == "/" ? "/" + name : place + "/" + name
            guard let found = step(at: next) else { return nil }
            if let text = found.text { return text }
            guard let target = found.target else {
                place = next
                continue
            }
            links += 1
            guard links <= Self.mostLinks else { return nil }
            if target.hasPrefix("/") { place = "/" }
            names = Self.names(target) + names
        }
        return nil
    }

    /// The error of one step of the path, and the target if the step is a link. Nil if it does not exist.
    private func step(at place: String) -> (text: String?, target: String?)? {
        var status = stat()
        guard lstat(place, &status) == 0 else { return nil }
        let type = status.st_mode & S_IFMT
        return (text(place, status, type), type == S_IFLNK ? Self.target(place) : nil)
    }

    private func text(_ place: String, _ status: stat, _ type: mode_t) -> String? {
        guard status.st_uid == 0 || status.st_uid == user else {
            return "\(place) belongs to the user \(status.st_uid), and must belong to root or to the server's own user"
        }
        let isSticky = type == S_IFDIR && status.st_mode & S_ISVTX != 0
        // The mode of a link has no effect.
        guard type != S_IFLNK, !isSticky else { return nil }
        if status.st_mode & S_IWOTH != 0 { return "all users may write to \(place) (chmod o-w)" }
        guard status.st_mode & S_IWGRP != 0, status.st_gid != group else { return nil }
        return "the group \(status.st_gid) may write to \(place) (chmod g-w)"
    }

    private static func names(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }
    }

    private static func parent(_ place: String) -> String {
        let parent = place[..<(place.lastIndex(of: "/") ?? place.startIndex)]
        return parent.isEmpty ? "/" : String(parent)
    }

    private static func target(_ link: String) -> String? { text { readlink(link, $0, $1) } }

    private static var workingDirectory: String {
        text { getcwd($0, $1) == nil ? -1 : Int(strlen($0)) } ?? "/"
    }

    private static func text(_ read: (UnsafeMutablePointer<CChar>, Int) -> Int) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            buffer.initialize(repeating: 0)
            let length = read(start, Int(PATH_MAX))
            return length > 0 ? String(cString: start) : nil
        }
    }
}
