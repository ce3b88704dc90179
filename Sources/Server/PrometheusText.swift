/// Lines of Prometheus' text format 0.0.4, a family after the other.
struct PrometheusText {
    private(set) var text = ""

    /// - Parameters:
    ///   - samples: the labels and the value of each series; none where the family has no series yet.
    mutating func family(
        _ name: String, _ type: FamilyType, _ help: String,
        _ samples: [(labels: [(String, String)], value: any CustomStringConvertible)]
    ) {
        head(name, type, help)
        for (labels, value) in samples { sample(name, labels, value) }
    }

    enum FamilyType: String { case counter, gauge, histogram }

    mutating func head(_ name: String, _ type: FamilyType, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type.rawValue)\n"
    }

    /// Label values are names of this server's own: templates, numbers, classes; none needs escaping.
    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: any CustomStringConvertible) {
        let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
    }

    mutating func gauge(_ name: String, _ help: String, _ value: any CustomStringConvertible) {
        family(name, .gauge, help, [([], value)])
    }

    mutating func counter(_ name: String, _ help: String, _ value: any CustomStringConvertible) {
        family(name, .counter, help, [([], value)])
    }
}
