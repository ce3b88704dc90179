# Makes Debian's base image with debootstrap, for machines without access to a container registry.

limit=45 # MB that the server's image adds to its base
build=$(realpath -m -- "$root/${BUILD_DIR:-.build}")
base=$build/images/base.tar

# Uses the mirror that apt uses on this machine. A base is reused for 30 days.
make_base() {
    local mirror
    [[ -z $(find "$base" -mtime -30 2>/dev/null) ]] || return 0
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)
    say "making a Debian base from $mirror"
    mkdir -p -- "$build/images"
    debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        fail_with_log "$work/debootstrap.log" "debootstrap failed"
    # The official slim images have no documentation either.
    (
        cd -- "$work/base" || exit
        # As in the official images, dpkg does not sync its files to the disk, which makes installations faster.
        echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/docker-apt-speedup
        rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,man,info,locale}/*
    )
    tar -C "$work/base" -cf "$base.new" .
    mv -- "$base.new" "$base"
    rm -rf -- "$work/base"
}
