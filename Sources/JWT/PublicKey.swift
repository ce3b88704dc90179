import COpenSSL

/// An RSA public key that is suitable for RS256, in the one encoding that libjwt reads.
struct PublicKey: Hashable, Sendable {
    /// The key as SPKI in PEM. It is never empty.
    let pem: [UInt8]

    /// The allowed lengths of a modulus, in bits.
    ///
    /// A longer modulus or exponent makes each check costly (CVE-2023-3446 is of this kind). A shorter modulus is
    /// unsafe.
    private static let allowedBits = 2048...8192
    private static let longestExponent = 32

    /// The key with these unsigned big-endian numbers.
    init(modulus: [UInt8], exponent: [UInt8]) throws(KeyError) {
        let modulus = modulus.drop { $0 == 0 }
        let exponent = exponent.drop { $0 == 0 }
        let bits = Self.bits(of: modulus)
        guard bits >= Self.allowedBits.lowerBound else { throw KeyError("it has \(bits) bits, and 2048 is the least") }
        guard bits <= Self.allowedBits.upperBound else { throw KeyError("it has \(bits) bits, and 8192 is the most") }
        guard let last = modulus.last, last & 1 == 1 else { throw KeyError("its modulus is even") }
        guard let lowest = exponent.last, lowest & 1 == 1, Array(exponent) != [1],
            Self.bits(of: exponent) <= Self.longestExponent
        else { throw KeyError("its exponent is not an odd number from 3 to 2^32") }
        guard let pem = Self.spki(modulus: Array(modulus), exponent: Array(exponent)), !pem.isEmpty else {
            throw .malformed
        }
        self.pem = pem
    }

    /// The key in `der`, an SPKI or, with `isPKCS1`, a bare RSAPublicKey.
    init(der: [UInt8], isPKCS1: Bool) throws(KeyError) {
        defer { OpenSSLErrors.clear() }
        guard let key = Self.parse(der, isPKCS1: isPKCS1) else { throw .malformed }
        // A key for RSASSA-PSS alone has another id and does not fit RS256.
        guard key.withPointer({ EVP_PKEY_get_base_id($0) }) == EVP_PKEY_RSA else {
            throw KeyError("it is not an RSA key")
        }
        guard let modulus = Self.number(OSSL_PKEY_PARAM_RSA_N, of: key),
            let exponent = Self.number(OSSL_PKEY_PARAM_RSA_E, of: key)
        else { throw .malformed }
        try self.init(modulus: modulus, exponent: exponent)
    }

    private static func bits(of number: ArraySlice<UInt8>) -> Int {
        guard let first = number.first else { return 0 }
        return number.count * 8 - first.leadingZeroBitCount
    }

    private static func parse(_ der: [UInt8], isPKCS1: Bool) -> OpenSSLHandle<OpaquePointer>? {
        var isWhole = false
        let key = der.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            defer { isWhole = position == bytes.baseAddress.map { $0 + bytes.count } }
            return isPKCS1
                ? d2i_PublicKey(EVP_PKEY_RSA, nil, &position, bytes.count)
                : d2i_PUBKEY(nil, &position, bytes.count)
        }
        guard let handle = OpenSSLHandle(key, free: { EVP_PKEY_free($0) }), isWhole else { return nil }
        return handle
    }

    private static func number(_ name: String, of key: borrowing OpenSSLHandle<OpaquePointer>) -> [UInt8]? {
        var number: OpaquePointer?
        guard key.withPointer({ EVP_PKEY_get_bn_param($0, name, &number) }) == 1,
            let handle = OpenSSLHandle(number, free: { BN_free($0) })
        else { return nil }
        return handle.withPointer { number in
            var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(number) + 7) / 8)
            return BN_bn2bin(number, &bytes) == CInt(bytes.count) ? bytes : nil
        }
    }
}

extension PublicKey {
    /// True if `signature` is the RSASSA-PKCS1-v1_5 signature with SHA-256 of `text` (RFC 7518 section 3.3).
    func verifies(_ signature: [UInt8], of text: ArraySlice<UInt8>) -> Bool {
        defer { OpenSSLErrors.clear() }
        guard let bio = OpenSSLHandle(BIO_new_mem_buf(pem, CInt(pem.count)), free: { BIO_free_all($0) }),
            let key = OpenSSLHandle(
                bio.withPointer { PEM_read_bio_PUBKEY($0, nil, nil, nil) }, free: { EVP_PKEY_free($0) }),
            let context = OpenSSLHandle(EVP_MD_CTX_new(), free: { EVP_MD_CTX_free($0) })
        else { return false }
        return context.withPointer { context in
            key.withPointer { key in
                guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else { return false }
                return text.withUnsafeBufferPointer {
                    EVP_DigestVerify(context, signature, signature.count, $0.baseAddress, $0.count) == 1
                }
            }
        }
    }

    private static func spki(modulus: [UInt8], exponent: [UInt8]) -> [UInt8]? {
        defer { OpenSSLErrors.clear() }
        guard let key = key(modulus: modulus, exponent: exponent),
            let bio = OpenSSLHandle(BIO_new(BIO_s_mem()), free: { BIO_free_all($0) })
        else { return nil }
        return bio.withPointer { bio in
            guard key.withPointer({ PEM_write_bio_PUBKEY(bio, $0) }) == 1 else { return nil }
            var text = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
            guard let length = CInt(exactly: text.count), BIO_read(bio, &text, length) == length else { return nil }
            return text
        }
    }

    private static func key(modulus: [UInt8], exponent: [UInt8]) -> OpenSSLHandle<OpaquePointer>? {
        guard let n = bigNumber(modulus), let e = bigNumber(exponent),
            let builder = OpenSSLHandle(OSSL_PARAM_BLD_new(), free: { OSSL_PARAM_BLD_free($0) })
        else { return nil }
        // The builder stores pointers to both numbers until it has made the parameters.
        return n.withPointer { n in
            e.withPointer { e in
                builder.withPointer { builder in
                    guard OSSL_PARAM_BLD_push_BN(builder, reengagement_OSSL_PKEY_PARAM_RSA_N(), n) == 1,
                        OSSL_PARAM_BLD_push_BN(builder, reengagement_OSSL_PKEY_PARAM_RSA_E(), e) == 1
                    else { return nil }
                    return key(parameters: OSSL_PARAM_BLD_to_param(builder))
                }
            }
        }
    }

    private static func key(parameters: UnsafeMutablePointer<OSSL_PARAM>?) -> OpenSSLHandle<OpaquePointer>? {
        guard let parameters = OpenSSLHandle(parameters, free: { OSSL_PARAM_free($0) }),
            let context = OpenSSLHandle(
                EVP_PKEY_CTX_new_from_name(nil, "RSA", nil), free: { EVP_PKEY_CTX_free($0) })
        else { return nil }
        var key: OpaquePointer?
        context.withPointer { context in
            parameters.withPointer { parameters in
                guard EVP_PKEY_fromdata_init(context) == 1 else { return }
                EVP_PKEY_fromdata(context, &key, reengagement_EVP_PKEY_PUBLIC_KEY, parameters)
            }
        }
        return OpenSSLHandle(key, free: { EVP_PKEY_free($0) })
    }

    private static func bigNumber(_ bytes: [UInt8]) -> OpenSSLHandle<OpaquePointer>? {
        guard let length = CInt(exactly: bytes.count) else { return nil }
        return OpenSSLHandle(BN_bin2bn(bytes, length, nil), free: { BN_free($0) })
    }
}

extension KeyError {
    static let malformed = KeyError("it is not a well-formed key")
}
