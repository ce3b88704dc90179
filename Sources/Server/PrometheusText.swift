/// Text in Prometheus' format 0.0.4, one family after another.
struct PrometheusText {
    private(set) var text = ""

    /// - Parameter samples: the labels and the value of each series. Empty for a family without a series.
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

    /// The label values are the server's own templates, numbers and classes, so none of them needs escaping.
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
