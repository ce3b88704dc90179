/// The version that `/health`, `--version` and the metrics tell, as in CHANGELOG.md.
public let serverVersion = "0.3.0"
