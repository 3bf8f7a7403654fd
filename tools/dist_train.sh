#!/usr/bin/env bash
# Train on several GPUs (or, without GPUs, in several CPU processes) of one or more machines.
#   bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR, PORT on each. PYTHON: the interpreter.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]" >&2
    exit 2
fi
. "$(dirname "$0")/setup/launch_env.sh"

launch_torchrun "$2" train.py "$1" --launcher pytorch "${@:3}"
