# The base images for machines without a registry: Debian from debootstrap.

limit=45 # MB that the server's image adds to its base
build=$(realpath -m -- "$root/${BUILD_DIR:-.build}")
base=$build/images/base.tar

# Uses this machine's own mirror. A base is reused for a month.
make_base() {
    local mirror
    [[ -z $(find "$base" -mtime -30 2>/dev/null) ]] || return 0
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)
    say "making a Debian base from $mirror"
    mkdir -p -- "$build/images"
    debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        fail_with_log "$work/debootstrap.log" "debootstrap failed"
    # Like the slim images, without documentation, which would make the base look larger.
    (
        cd -- "$work/base" || exit
        # dpkg does not sync files in those images either.
        echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/docker-apt-speedup
        rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,man,info,locale}/*
    )
    tar -C "$work/base" -cf "$base.new" .
    mv -- "$base.new" "$base"
    rm -rf -- "$work/base"
}
