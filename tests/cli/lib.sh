# Shared by the command-line tests: a folder of their own, `t2g`, `expect`.
set -u
case $BUILD in
/*) ;;
*) BUILD=$PWD/$BUILD ;;
esac
root=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

t2g()
{
    ${RUNNER:-} "$BUILD/t2g" "$@"
}

has_command() # NAME
{
    t2g --help | grep -q "^  $1 "
}

complain() # TEXT
{
    failed=1
    echo "$1"
    sed 's/^/    /' output
}

# Runs a command; its exit status and a pattern in what it prints must be right.
expect() # STATUS PATTERN COMMAND...
{
    status=$1 pattern=$2
    shift 2
    "$@" > output 2>&1
    got=$?
    [ $got -eq "$status" ] || complain "$*: status $got, expected $status"
    [ -z "$pattern" ] || grep -qE -e "$pattern" output ||
        complain "$*: no '$pattern' in its output"
}

# Nothing of a file, or of a temporary twin, may be there.
absent() # FILE
{
    for f in "$1" "$1".tmp-*; do
        [ -e "$f" ] && { failed=1; echo "$f was left behind"; }
    done
}

finish()
{
    exit $failed
}
