#!/bin/sh
# Cross build for AArch64 and all tests on it under qemu-user.
# Usage: sh tests/arm.sh MAKE BUILD
set -eu
cross=aarch64-linux-gnu-

# The cross compiler's own libraries (OpenMP's) are on no default path.
libraries=$(dirname "$("${cross}gcc" -print-file-name=libgomp.so.1)")
RUNNER="qemu-aarch64 -E LD_LIBRARY_PATH=$libraries"
NM=${cross}nm
# Threads of emulated programs hang on some hosts. That results do not depend on
# their number is tested without emulation.
OMP_THREAD_LIMIT=1
export RUNNER NM OMP_THREAD_LIMIT
exec "$1" --no-print-directory test CROSS=$cross "CC=${cross}gcc" "BUILD=$2"
