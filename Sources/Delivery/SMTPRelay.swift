/// placeholder
public struct SMTPRelay: Sendable {}
