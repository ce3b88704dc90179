# What images are built on where no registry is asked: Debian from debootstrap.

limit=45 # MB of the server on top of its base
build=$(realpath -m -- "$root/${BUILD_DIR:-.build}")
base=$build/images/base.tar

# From where this machine gets its own packages; kept for a month.
make_base() {
    local mirror
    [[ -z $(find "$base" -mtime -30 2>/dev/null) ]] || return 0
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)
    say "making a Debian base from $mirror"
    mkdir -p -- "$build/images"
    debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        fail_with_log "$work/debootstrap.log" "debootstrap failed"
    # As the slim images are: what is not in the base cannot make it look larger.
    (
        cd -- "$work/base" || exit
        # Nor does dpkg wait for the disk there.
        echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/docker-apt-speedup
        rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,man,info,locale}/*
    )
    tar -C "$work/base" -cf "$base.new" .
    mv -- "$base.new" "$base"
    rm -rf -- "$work/base"
}
