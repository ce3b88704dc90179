# The variables that change a stack. Tests and benchmarks start without those of their caller.

# Read by the server (docs/running.md, "Environment").
server_variables=(
    DATABASE_URL DATABASE_ROLE DATABASE_LOGIN DB_POOL_SIZE DB_ACQUIRE_TIMEOUT_MS DB_STATEMENT_TIMEOUT_MS
    FCGI_LISTEN LIVE_LISTEN WORKER_THREADS CLERK_JWT_KEY CLERK_JWKS_FILE CLERK_JWKS_URL CLERK_JWKS_CA_FILE
    CLERK_ISSUER CLERK_AUTHORIZED_PARTIES RATE_LIMIT CORS_ALLOWED_ORIGINS AUDIT LOG_LEVEL LOG_FORMAT LOG_SLOW_MS
    ANSWER_CACHE_BYTES AUDIT_DAILY_MB PUBLIC_URL SECURITY_CONTACT CLERK_AUDIENCE TOKEN_MAX_LIFETIME
    TOKEN_DENY_FILE KEYS_MAX_AGE IDLE_LOGOFF_MIN ADMIN_ROLES SECRETS_KEY_FILE WEBHOOK_ALLOW_PRIVATE
)

# Read by the sender in addition.
sender_variables=(SMTP_URL SMTP_FROM SMTP_USERNAME SMTP_PASSWORD_FILE)

# Read by scripts/stack and scripts/token in addition. A supervisor sets the last three for the server.
stack_variables=(
    STACK_DIR STACK_DEMO STACK_NGINX STACK_PAGES STACK_SENDER DEV_SIGN_IN HTTPS_PORT HTTP_PORT ORG TOKEN_TTL SUBJECTS
    LISTEN_FDS LISTEN_FDNAMES LISTEN_PID
)

forget_callers_variables() { unset "${!PG@}" "${server_variables[@]}" "${sender_variables[@]}" "${stack_variables[@]}"; }
