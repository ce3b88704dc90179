internal import Digest

/// The key of a token in the cache, which cannot be used as a token.
typealias TokenDigest = SHA256
