#!/bin/sh
# Public symbols of the libraries start with t2g_.
set -u
nm=${NM:-nm}
command -v "$nm" > /dev/null 2>&1 || { echo "no nm here"; exit 77; }

# Sanitizers add symbols of their own, which are not ours to name.
foreign='^(t2g_|_t2g_|__odr_asan|__asan_|__ubsan_|_init$|_fini$)'

check() # FILE NM-OPTIONS
{
    [ -f "$1" ] || { echo "$1 is not there"; exit 1; }
    symbols=$("$nm" $2 --defined-only "$1" 2> /dev/null |
        awk 'NF == 3 && $2 ~ /[A-TV-Z]/ { print $3 }')
    [ -n "$symbols" ] || { echo "$1: $nm finds no symbols"; exit 1; }
    bad=$(echo "$symbols" | grep -Ev "$foreign" | sort -u)
    [ -z "$bad" ] && return
    echo "$1: symbols without the prefix t2g_:"
    echo "$bad"
    exit 1
}

check "$BUILD/libt2g.a" -g
check "$BUILD/libt2g.so" '-g -D'
