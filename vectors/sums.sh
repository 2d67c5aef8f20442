#!/bin/sh
# Writes vectors/SHA256SUMS: one line a file, sorted by name.
set -eu
cd "$(dirname "$0")"
find . -type f ! -name "SHA256SUMS*" ! -name '*.pyc' | LC_ALL=C sort |
    sed 's|^\./||' | xargs sha256sum > SHA256SUMS.new
mv SHA256SUMS.new SHA256SUMS
