#!/bin/sh
# Installs what the build (deps.sh build) or the cross build for AArch64
# (deps.sh arm) needs and does not find. Says what it does; silent when nothing
# is missing, which the compiler decides and not the package manager.
set -u

what=${1:-build}
libraries='sleef jansson xxhash zlib pcre2 curl cmocka'

compiler()
{
    if [ "$what" = arm ]; then
        echo aarch64-linux-gnu-gcc
    elif [ -n "${CC:-}" ]; then
        echo "$CC"
    else
        for c in gcc cc clang; do
            command -v $c > /dev/null 2>&1 && echo $c && return
        done
        echo gcc
    fi
}

include()
{
    case $1 in
    sleef) echo '#include <sleef.h>' ;;
    jansson) echo '#include <jansson.h>' ;;
    xxhash) echo '#include <xxhash.h>' ;;
    zlib) echo '#include <zlib.h>' ;;
    pcre2) printf '#define PCRE2_CODE_UNIT_WIDTH 8\n'
           echo '#include <pcre2.h>' ;;
    curl) echo '#include <curl/curl.h>' ;;
    cmocka) printf '#include <stdarg.h>\n#include <stddef.h>\n'
            printf '#include <stdint.h>\n#include <setjmp.h>\n'
            echo '#include <cmocka.h>' ;;
    esac
}

flag()
{
    case $1 in
    zlib) echo -lz ;;
    pcre2) echo -lpcre2-8 ;;
    *) echo "-l$1" ;;
    esac
}

# Does a program with these libraries compile and link?
links()
{
    source='' flags=''
    for l in "$@"; do
        source="$source
$(include "$l")"
        flags="$flags $(flag "$l")"
    done
    printf '%s\nint main(void) { return 0; }\n' "$source" |
        $(compiler) -x c - -o /dev/null $flags -lm > /dev/null 2>&1
}

missing()
{
    command -v make > /dev/null 2>&1 || echo make
    if [ "$what" = arm ] && ! command -v qemu-aarch64 > /dev/null 2>&1; then
        echo qemu
    fi
    if ! links; then
        echo compiler
        echo "$libraries"
        return
    fi
    links $libraries && return
    for l in $libraries; do
        links "$l" || echo "$l"
    done
}

# The package of a thing in the manager's naming.
package()
{
    suffix=''
    [ "$what" = arm ] && suffix=:arm64
    case $1:$2 in
    apt:compiler)
        [ "$what" = arm ] && echo gcc-aarch64-linux-gnu ||
            echo gcc libc6-dev ;;
    apt:make) echo make ;;
    apt:qemu) echo qemu-user ;;
    apt:zlib) echo zlib1g-dev$suffix ;;
    apt:curl) echo libcurl4-openssl-dev$suffix ;;
    apt:*) echo "lib$2-dev$suffix" ;;
    dnf:compiler) echo gcc glibc-devel ;;
    dnf:make) echo make ;;
    dnf:cmocka) echo libcmocka-devel ;;
    dnf:curl) echo libcurl-devel ;;
    dnf:*) echo "$2-devel" ;;
    *:compiler) echo gcc ;;
    *) echo "$2" ;;
    esac
}

root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo > /dev/null 2>&1; then
        sudo "$@"
    else
        echo "deps: not root and no sudo: cannot run $*" >&2
        return 1
    fi
}

apt_get()
{
    root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@"
}

apt_install()
{
    if [ "$what" = arm ] && ! dpkg --print-foreign-architectures |
        grep -q '^arm64$'; then
        echo "deps: dpkg --add-architecture arm64" >&2
        root dpkg --add-architecture arm64 && apt_get update
    fi
    apt_get install --no-install-recommends "$@" && return
    apt_get update
    apt_get install --no-install-recommends "$@" && return
    for p in "$@"; do # one that is unknown must not keep the others away
        apt_get install --no-install-recommends "$p"
    done
}

install_packages() # MANAGER PACKAGE...
{
    manager=$1
    shift
    echo "deps: installing with $manager: $*" >&2
    case $manager in
    apt) apt_install "$@" ;;
    dnf) root dnf -y -q install "$@" ;;
    pacman) root pacman -S --needed --noconfirm "$@" ;;
    brew) brew install "$@" ;;
    esac > /dev/null
}

find_manager()
{
    command -v apt-get > /dev/null 2>&1 && echo apt && return
    for m in dnf pacman brew; do
        command -v $m > /dev/null 2>&1 && echo $m && return
    done
}

# What the build cannot do without; tests alone need cmocka.
report()
{
    status=0
    for m in $(missing); do
        if [ $m = cmocka ] && [ "$what" = build ]; then
            echo "deps: without cmocka there is no 'make test'" >&2
        else
            echo "deps: $m is still missing" >&2
            status=1
        fi
    done
    if [ $status -ne 0 ] && [ "$(find_manager)" = brew ]; then
        echo "deps: if brew has them, CPATH=$(brew --prefix)/include and" \
            "LIBRARY_PATH=$(brew --prefix)/lib let the compiler find them" >&2
    fi
    return $status
}

wanted=$(missing)
[ -z "$wanted" ] && exit 0
manager=$(find_manager)
if [ -z "$manager" ]; then
    echo "deps: no package manager known here (apt, dnf, pacman, brew);" \
        "needed: $(echo $wanted)" >&2
    report
    exit
fi
if [ "$what" = arm ] && [ "$manager" != apt ]; then
    echo "deps: the cross build is set up with apt only; needed:" \
        $wanted >&2
    exit 1
fi
packages=''
for w in $wanted; do
    packages="$packages $(package "$manager" "$w")"
done
install_packages "$manager" $packages
report
