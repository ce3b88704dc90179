internal import Digest

/// Identifies a token in the cache, and cannot be used as a token.
typealias TokenDigest = SHA256
