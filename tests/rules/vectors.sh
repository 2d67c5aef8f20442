#!/bin/sh
# The vectors are those that their generators wrote, none missing or added.
set -u
command -v sha256sum > /dev/null 2>&1 || { echo "no sha256sum here"; exit 77; }
cd vectors || exit 1
sha256sum --quiet -c SHA256SUMS || exit 1
listed=$(cut -c 67- SHA256SUMS)
there=$(find . -type f ! -name SHA256SUMS ! -name '*.pyc' | LC_ALL=C sort |
    sed 's|^\./||')
[ "$listed" = "$there" ] && exit 0
echo "SHA256SUMS lists other files than there are; run sh vectors/sums.sh"
exit 1
