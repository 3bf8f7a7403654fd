#!/usr/bin/env bash
# Predict many videos in several processes, one for each GPU (or several on the CPU), of one or more
# machines. Videos that are done are left out, so that the same command goes on after a failure.
#   bash tools/dist_inference.sh INPUT PROCESSES --model MODEL [arguments of tools/inference.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR, PORT on each. PYTHON: the interpreter.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: bash tools/dist_inference.sh INPUT PROCESSES --model MODEL [arguments of tools/inference.py]" >&2
    exit 2
fi
. "$(dirname "$0")/setup/launch_env.sh"

launch_torchrun "$2" inference.py "$1" --resume "${@:3}"
