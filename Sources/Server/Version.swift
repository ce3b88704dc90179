/// The version in `/health`, `--version` and the metrics, as in CHANGELOG.md.
public let serverVersion = "0.3.0"
