# The key pair that signs development tokens, and the certificate of localhost.

keys=$STACK_DIR/keys
certificate=$STACK_DIR/tls/localhost.pem
secrets_key=$STACK_DIR/secrets/keys

# The caller's own key source replaces the development key.
uses_own_keys() {
    [[ -z ${CLERK_JWT_KEY-}${CLERK_JWKS_FILE-}${CLERK_JWKS_URL-} ]]
}

# A reader of the development key can sign tokens for any clinic. So it is for demo data, unless DEV_SIGN_IN=1.
check_sign_in() {
    uses_own_keys || return 0
    case ${DEV_SIGN_IN-} in
        1) return 0 ;;
        '' | 0) ;;
        *) fail 'DEV_SIGN_IN: 1 says that anybody on this machine is let in; any other value is not known' ;;
    esac
    is_private_cluster ||
        fail "DATABASE_URL names a database of its own, so the server needs a key source (CLERK_JWT_KEY, CLERK_JWKS_FILE" \
            "or CLERK_JWKS_URL) and CLERK_ISSUER; DEV_SIGN_IN=1 lets in anybody on this machine instead. Nothing was started"
    [[ ${STACK_NGINX:-local} == local ]] ||
        fail "STACK_NGINX=$STACK_NGINX would serve with the development key: set a key source (CLERK_JWT_KEY," \
            "CLERK_JWKS_FILE or CLERK_JWKS_URL) and CLERK_ISSUER, or DEV_SIGN_IN=1 to let in anybody on this machine"
}

make_key_pair() {
    [[ ! -s $keys/key-id ]] || return 0
    say "making a key pair in $keys"
    (
        umask 077
        rm -rf -- "$keys"
        mkdir -p -- "$keys"
        openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/private.pem"
        openssl pkey -in "$keys/private.pem" -pubout -out "$keys/public.pem"
        # This file is written last, so its existence shows that all files are complete.
        openssl pkey -pubin -in "$keys/public.pem" -outform DER | sha256sum | cut -c 1-16 >"$keys/key-id"
    ) || fail "openssl could not make a key pair in $keys"
}

# The key that the secrets of webhooks are computed from. It stays, so that they stay valid.
make_secrets_key() {
    [[ ! -s $secrets_key ]] || return 0
    say "making a key for secrets in $secrets_key"
    (
        umask 077
        mkdir -p -- "${secrets_key%/*}"
        openssl rand -base64 32 >"$secrets_key.new"
        mv -- "$secrets_key.new" "$secrets_key"
    ) || fail "openssl could not make a key in $secrets_key"
}

# The certificate is valid for a year, and is renewed in its last two weeks.
make_certificate() {
    local key=$STACK_DIR/tls/localhost.key
    if [[ -s $certificate && -s $key ]] &&
        openssl x509 -in "$certificate" -noout -checkend 1209600 >/dev/null; then return 0; fi
    say "making a certificate for localhost"
    (
        umask 077
        mkdir -p -- "$STACK_DIR/tls"
        chmod 755 -- "$STACK_DIR/tls"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
            -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
            -addext "extendedKeyUsage=serverAuth" -keyout "$key" -out "$certificate.new"
        chmod 644 -- "$certificate.new"
        mv -- "$certificate.new" "$certificate"
    ) 2>"$STACK_DIR/log/openssl.log" || fail_with_log "$STACK_DIR/log/openssl.log" "openssl made no certificate"
}
