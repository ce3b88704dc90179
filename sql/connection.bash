# Connects to the database of DATABASE_URL. Sourced by the scripts of this folder and by deploy/prepare.
#
# All users of a machine see the arguments of its programs. The password is therefore removed from DATABASE_URL and
# passed to libpq in its environment (PGPASSWORD), which only the same user sees. $connection is the rest, for psql's
# option -d.
#
# Over a network the server's certificate is checked (sslmode=verify-full), unless DATABASE_URL, PGSSLMODE or a service
# file sets another sslmode. The API's server has the same rule. Two details are simpler here. If one host of a list is
# reached over a network, verify-full applies to all hosts. A service on loopback must set its own sslmode.

declare -F fail > /dev/null || fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# psql's messages quote hosts and names. If a password contains a raw @, libpq reads the rest of it as a host's name.
# Therefore only these texts are shown, which cannot be a part of a connection string.
known_reasons='Name or service not known|Temporary failure in name resolution|No address associated with hostname'
known_reasons+='|Connection refused|Connection timed out|No route to host|Network is unreachable|No such file or directory'
known_reasons+='|Permission denied|timeout expired|password authentication failed|no password supplied|no pg_hba.conf entry'
known_reasons+='|too many (clients|connections)|connection slots are reserved|(role|database) "[^"]*" does not exist'
known_reasons+='|the database system is (starting up|shutting down|in recovery mode)|server closed the connection unexpectedly'
known_reasons+='|certificate verify failed|does not match host name|root certificate file|private key file|group or world access'
known_reasons+='|server does not support SSL, but SSL was required|session is read-only|invalid [a-z_]+ value'
known_reasons+='|host name must be specified|permission denied for database'
unreadable='invalid URI|invalid connection option|in connection info string|percent-encoded token'
known_reasons+="|$unreadable"
about_certificates='root certificate file|server does not support SSL|host name must be specified|certificate verify failed'

# Escapes control characters, invisible characters, changes of the writing direction and line separators. Every Debian
# has perl.
printable() {
    perl -CSD -pe 'BEGIN { $| = 1 } s/([^\n\P{C}]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])/sprintf "\\u{%X}", ord $1/ge'
}

# Prints five fields, each followed by a zero byte: the error in DATABASE_URL, DATABASE_URL without its password, the
# password, "network" if it leads over a network, and its sslmode. The syntax is libpq's (PostgreSQL's documentation,
# section 34.1.1).
take_apart() {
    DATABASE_URL=$DATABASE_URL perl -e '
        use strict; use warnings;
        my ($url, $rest, $wrong, %value) = ($ENV{DATABASE_URL}, "", "");
        sub decoded { my $text = $_[0]; $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; $text }
        # The options depend on the version of libpq. A name of another form may be the rest of a password.
        my $option = qr/^[a-z_]{4,}$/;
        my $hint = "; in a URI, what is special in a password is percent-encoded (\@ is %40, / is %2F)";
        if ($url =~ m{^(postgres(?:ql)?://)(?:([^:\@/]*)(?::([^\@/]*))?\@)?(.*)$}s) {
            my ($scheme, $user, $password, $place) = ($1, $2, $3, $4);
            $value{password} = decoded($password) if length($password // "");
            my ($front, $query) = $place =~ /^([^?]*)(?:\?(.*))?$/s;
            my ($hosts, $database) = $front =~ m{^([^/]*)(?:/(.*))?$}s;
            $wrong = "has a host or a database with a raw \@$hint" if ("$hosts/" . ($database // "")) =~ /\@/;
            # A raw / or ? ends the password early, and libpq reads the rest as a host, port or database.
            $wrong ||= "has a port that is no number$hint"
                if grep { s/^\[.*?\]//r =~ /:(.*)/s && decoded($1) !~ /^\s*\d*\s*$/ } split /,/, $hosts;
            $wrong ||= "has a user with a raw ?$hint" if ($user // "") =~ /\?/;
            $wrong ||= "has a % that is none, or %00$hint" if $url =~ /%(?!(?!00)[0-9A-Fa-f]{2})/;
            $value{host} = join ",", map { /^\[(.*?)\]/ ? $1 : s/:.*//sr } split /,/, decoded($hosts), -1 if length $hosts;
            my @kept;
            for (split /&/, $query // "") {
                my ($key, $text) = /^([^=]*)=([^=]*)$/ ? (decoded($1), decoded($2)) : ("", "");
                $wrong ||= "has an option that libpq does not know$hint" if $key !~ $option && $_ ne "ssl=true";
                $value{$key} = $text;
                push @kept, $_ unless $key eq "password";
                $value{sslmode} = "require" if $_ eq "ssl=true";
            }
            $rest = $scheme . (defined $user ? "$user\@" : "") . $front . (@kept ? "?" . join("&", @kept) : "");
        } elsif ($url =~ /=/) {
            while ($url =~ /\G\s*([^\s=]+)\s*=\s*+(?:\x27((?:[^\x27\\]|\\.)*+)\x27|(?!\x27)((?:[^\s\\]|\\.|\\\z)*+))/gcs) {
                my ($key, $text) = ($1, $2 // $3);
                $text =~ s/\\(.?)/$1/gs;
                $wrong ||= "has an option that libpq does not know" if $key !~ $option;
                $value{$key} = $text;
                $value{sslmode} = $text =~ /^1/ ? "require" : "prefer" if $key eq "requiressl";
                next if $key eq "password";
                $text =~ s/([\x27\\])/\\$1/g;
                $rest .= "$key=\x27$text\x27 ";
            }
            $wrong = "is no connection string" if $url !~ /\G\s*$/gc;
        } else {
            # The name of a database, unless it looks like a connection string of another program.
            $wrong = "is no connection string of libpq" if $url =~ m{:.*\@|://}s;
            $rest = $url;
        }
        $wrong ||= "has sslpassword, which has no place that is not seen: use a key without a password, readable for you alone"
            if length($value{sslpassword} // "");
        for (qw(oauth_client_secret scram_client_key scram_server_key)) {
            $wrong ||= "has $_, which has no place that is not seen" if length($value{$_} // "");
        }
        # Examples are Password=…;Database=… and a connection string within dbname.
        $wrong ||= "has a password where libpq does not look for one"
            if $rest =~ m{(?<![.\w])(?:pass|passwd|password|pwd)\s*=|://[^/?]*:[^/?]*\@}i;
        my $service = exists $value{service} || length($ENV{PGSERVICE} // "");
        my $hosts = $value{hostaddr} || $ENV{PGHOSTADDR} || $value{host} || $ENV{PGHOST} || "";
        my $local = qr{^$|^[/\@]|^localhost\.?$|^127\.\d+\.\d+\.\d+$|^::1$}i;
        my $network = $service && !length $hosts || grep { !/$local/ } split /,/, $hosts, -1;
        print join("\0", $wrong, $rest, $value{password} // "", $network ? "network" : "", $value{sslmode} // "") . "\0";
    '
}

# Sets $connection and libpq's environment variables.
prepare_connection() {
    local wrong password network mode
    [[ -n ${DATABASE_URL:-} ]] || fail 'DATABASE_URL is not set; it takes any libpq connection string'
    { IFS= read -rd '' wrong && IFS= read -rd '' connection && IFS= read -rd '' password && IFS= read -rd '' network &&
        IFS= read -rd '' mode; } < <(take_apart) || fail 'DATABASE_URL could not be read (is perl there?)'
    [[ -z $wrong ]] || fail "DATABASE_URL $wrong"
    [[ -z $password ]] || export PGPASSWORD=$password
    tls_by_default=
    if [[ -n $network && -z $mode && -z ${PGSSLMODE:-} ]]; then
        export PGSSLMODE=verify-full
        tls_by_default=1
    # libpq refuses any other value. It is not printed, since it may be the rest of a password.
    elif [[ -n $network && ${mode:-$PGSSLMODE} =~ ^(disable|allow|prefer|require|verify-ca)$ ]]; then
        printf 'warning: over a network sslmode=%s does not check who the database is; verify-full does\n' "${mode:-$PGSSLMODE}" |
            printable >&2
    fi
}

# Prints the database's name, host and port as psql reports them, so without any part of a password.
name_database() {
    # The host of a socket is its folder.
    psql -X -q -At -d "$connection" -c '\echo :DBNAME on :HOST, port :PORT' < /dev/null | printable
}

check_connection() {
    local said reasons hint=
    prepare_connection
    command -v psql > /dev/null || fail 'psql is missing (Debian: postgresql-client)'
    said=$(psql -X -q -d "$connection" -c '' 2>&1 > /dev/null < /dev/null) && return
    reasons=$(grep -oE "$known_reasons" <<< "$said" | sed -E 's/"[^"]*" //; s/^('"$unreadable"')$/it is no connection string/' |
        sort -u | paste -sd ';' | sed 's/;/, /g') || true
    if [[ -n $tls_by_default ]] && grep -qE "$about_certificates" <<< "$said"; then
        hint='. Over a network its certificate is checked (sslmode=verify-full): name the file of its authority in sslrootcert'
        hint+=' (/etc/ssl/certs/ca-certificates.crt are the system'\''s), or ask for another sslmode by name'
    fi
    fail "the database that DATABASE_URL names does not answer${reasons:+: $reasons}$hint"
}

# For a script that writes. If there are several hosts, libpq chooses one that accepts writes.
check_writable_connection() {
    export PGTARGETSESSIONATTRS=${PGTARGETSESSIONATTRS:-read-write} PGAPPNAME=${PGAPPNAME:-${0##*/}} PGCLIENTENCODING=UTF8
    check_connection
}
