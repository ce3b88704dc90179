# The pages that nginx serves, and the tokens that sign the dashboard in locally.

# Tokens are valid for a month: only a start of the stack renews them.

# nginx's workers may be unable to read this clone, so they get copies. A rename replaces the old copy in one step.
copy_pages() {
    local site=$workspace/site
    rm -rf -- "$site.new" "$site.old"
    mkdir -p -- "$site.new"
    cp -r -- "$root/pages/dashboard" "$site.new/dashboard"
    # `make build` downloads them. Without them /docs returns 404.
    "$root/scripts/docs" --copy "$site.new/docs"
    [[ ${STACK_NGINX:-local} != local ]] || write_page_tokens "$site.new/dev-tokens.json"
    [[ ! -e $site ]] || mv -T -- "$site" "$site.old"
    mv -T -- "$site.new" "$site"
    rm -rf -- "$site.old"
}

# Tokens for the first demo organizations and for ORG. With the caller's own key source there are none, and the page
# asks for a token.
write_page_tokens() { # file
    local organization separator=
    state_get own-keys >/dev/null || return 0
    (
        umask 027
        printf '{"organizations":['
        for organization in $(printf '%s\n' "${ORG:-org_demo_1}" org_demo_{1,2,3} | awk '!seen[$0]++'); do
            printf '%s{"id":"%s","token":"%s"}' "$separator" "$organization" \
                "$(ORG=$organization TOKEN_TTL='' "$root/scripts/token")"
            separator=,
        done
        printf ']}\n'
    ) >"$1"
    ! is_root || chgrp "$socket_group" -- "$1"
    chmod 640 -- "$1"
}
