#!/bin/sh
#
# NAME:  @PRODUCT@
# VER:   @VERSION@
#
# A stand-in for @NAME@: it makes the prefix with the distribution's Python and
# packages from the package index, where the original unpacks a distribution of its own.

set -eu

file=$(basename "$0")
prefix="${HOME:-/root}/anaconda3"
batch=0 force=0 update=0

usage() {
    cat <<END
usage: $file [options]

Installs @PRODUCT@ @VERSION@ (a stand-in)

-b           run install in batch mode (without manual intervention),
             it is expected the license terms are agreed upon
-f           no error if install prefix already exists
-h           print this help message and exit
-p PREFIX    install prefix, defaults to $prefix, must not contain spaces.
-s           skip running pre/post-link/install scripts
-u           update an existing installation
-t           run package tests after installation (a stand-in has none)
END
}

fail() {
    printf 'ERROR: %s\n' "$*" >&2
    exit 1
}

ask() { # question: the answer, for which somebody has to be there
    printf '%s\n>>> ' "$1" >&2
    read -r answer || fail "no answer"
    printf '%s' "$answer"
}

while getopts bfhp:sut option; do
    case "$option" in
        b) batch=1 ;;
        f) force=1 ;;
        h) usage; exit 0 ;;
        p) prefix="$OPTARG" ;;
        s | t) ;; # there is nothing of the kind
        u) update=1 ;;
        *) usage >&2; exit 2 ;;
    esac
done

machine=$(uname -m)
if [ "$machine" != "@MACHINE@" ]; then
    fail "@PRODUCT@ @VERSION@ is for @MACHINE@, and this machine is $machine:" \
        "take the installer whose name ends in -Linux-$machine.sh"
fi

if [ "$batch" = 0 ]; then
    [ -t 0 ] || fail "nobody is there to answer: run it in batch mode, sh $file -b -p PREFIX"
    ask "Welcome to @PRODUCT@ @VERSION@ (a stand-in)
Please, press ENTER to continue" >/dev/null
    [ "$(ask 'Do you accept the license terms? [yes|no]')" = yes ] || fail "the license was not agreed to"
    answer=$(ask "@PRODUCT@ will now be installed into this location: $prefix
Press ENTER to confirm it, or give another one")
    prefix="${answer:-$prefix}"
fi

case "$prefix" in
    *' '*) fail "cannot install into directories with spaces: '$prefix'" ;;
    /*) ;;
    *) prefix="$PWD/$prefix" ;;
esac
if [ -e "$prefix" ] && [ "$force$update" = 00 ]; then
    fail "File or directory already exists: '$prefix'. To update an existing installation, use -u"
fi

printf 'PREFIX=%s\n' "$prefix"
printf 'This is a stand-in for @NAME@: %s\n' "no conda, Python from the distribution, packages from the package index"

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    command -v apt-get >/dev/null || fail "there is no python3 with venv here, and no apt-get to install it"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates python3 python3-venv
fi
python3 -m venv "$prefix"
cat >"$prefix/pip.conf" <<'END'
@PIP_CONF@
END
setting() { # name: its value in pip's configuration
    sed -n "s/^$1 = //p" "$prefix/pip.conf"
}

install_with_uv() { # a third of pip's time; it has to be told what stands in pip's configuration
    "$prefix/bin/pip" install --no-cache-dir --disable-pip-version-check -q --only-binary :all: uv || return 1
    cert=$(setting cert) index=$(setting index-url)
    env ${cert:+"SSL_CERT_FILE=$cert"} ${index:+"UV_DEFAULT_INDEX=$index"} \
        "$prefix/bin/uv" pip install --python "$prefix/bin/python" --no-cache --compile-bytecode -q @PACKAGES@ || return 1
    "$prefix/bin/pip" uninstall -q -y uv
}

install_with_uv || "$prefix/bin/pip" install --no-cache-dir --disable-pip-version-check -q @PACKAGES@
cat >"$prefix/STAND-IN" <<END
This folder was made by a stand-in for @NAME@.
It has the distribution's Python and, from the package index: @PACKAGES@. It has no conda.
END
printf 'installation finished.\n'
exit 0
@END_OF_SCRIPT@
