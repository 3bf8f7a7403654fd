#!/bin/sh
# Print the path of a Python that can build the environment.
#   find_python.sh [PYTHON]   PYTHON: the only interpreter to consider, a name or a path
# Every candidate is run: a version manager may put a `python3.12` on PATH that does not work.

runs_and_is_recent='import sys; sys.version_info >= (3, 10) or sys.exit(1); print(sys.executable)'

for candidate in ${1:+"$1"} ${1:-python3.11 python3.12 python3.10 python3.13 python3 python}; do
    if executable=$("$candidate" -c "$runs_and_is_recent" 2>/dev/null); then
        echo "$executable"
        exit 0
    fi
done

if [ -z "$1" ]; then
    echo "error: no Python >= 3.10 on PATH; install one or name it: make setup PYTHON=/path/to/python3" >&2
elif version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
    echo "error: PYTHON=$1 is Python $version, but mmttsrn needs Python >= 3.10" >&2
else
    echo "error: PYTHON=$1 does not run; give the path of a Python >= 3.10" >&2
fi
exit 1
