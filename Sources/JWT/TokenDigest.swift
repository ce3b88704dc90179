internal import Digest

/// The key of a token in the cache. A digest, unlike the token, gives no access if it leaks.
typealias TokenDigest = SHA256
