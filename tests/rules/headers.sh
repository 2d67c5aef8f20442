#!/bin/sh
# Each public header compiles alone, in C11 and in C++.
set -u
failed=0

alone() # LANGUAGE STANDARD COMPILER
{
    command -v "$3" > /dev/null 2>&1 || return
    for header in include/t2g/*.h; do
        printf '#include "%s"\n' "${header#include/}" |
            "$3" -x "$1" "-std=$2" -Wall -Wextra -Werror -fsyntax-only \
                -Iinclude - || { echo "$header alone, as $2"; failed=1; }
    done
}

alone c c11 "${CC:-gcc}"
alone c c11 clang
alone c++ c++17 "${CXX:-g++}"
exit $failed
