#!/bin/sh
# Who may include and do what: ref/ is portable and names no instruction set,
# simd/ knows nothing of ref/, the library nothing of tools/, and neither ends
# the program nor prints.
set -u
failed=0

none() # WHAT LINES
{
    [ -z "$2" ] && return
    echo "$1:"
    echo "$2"
    failed=1
}

none 'ref/ includes what belongs to an instruction set' \
    "$(grep -rnE '#include.*(simd/|immintrin|arm_neon|avx|neon)' ref)"
# One place says that fmaf is an instruction where that is no default.
none 'ref/ names an instruction set' \
    "$(grep -rniE '(avx|sse[234]|neon|__x86_64__|__aarch64__)' ref |
       grep -v '^ref/kernels/kernels_ref.h:.*#ifdef __x86_64__')"
none 'simd/ includes something of ref/' \
    "$(grep -rnE '#include.*(ref/|kernels_ref|_private)' simd)"
none 'the library includes something of tools/' \
    "$(grep -rnE '#include.*(tools/|cli\.h|verify\.h)' ref simd include)"
none 'the library ends the program or prints' \
    "$(grep -rnE '\b(exit|_exit|abort|printf|puts|putchar|perror)[ ]*\(' \
       ref simd)"
none 'the library uses a standard stream' \
    "$(grep -rnE '\bstd(out|err)\b' ref simd |
       grep -vE '/\*.*std|"stdout"|fflush\(stdout\)')"
none 'the library allocates past its allocator' \
    "$(grep -rnE '\b(malloc|calloc|realloc|strdup)[ ]*\(' ref simd |
       grep -vE 't2g_|ref/memory\.c')"
exit $failed
