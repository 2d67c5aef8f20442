#!/bin/sh
# Cross build for AArch64 and all tests on it under qemu-user.
# Usage: sh tests/arm.sh MAKE BUILD
set -eu
cross=aarch64-linux-gnu-

# The cross compiler's own libraries (OpenMP's) are on no default path.
libraries=$(dirname "$("${cross}gcc" -print-file-name=libgomp.so.1)")
RUNNER="qemu-aarch64 -E LD_LIBRARY_PATH=$libraries"
NM=${cross}nm
export RUNNER NM
exec "$1" --no-print-directory test CROSS=$cross "CC=${cross}gcc" "BUILD=$2"
