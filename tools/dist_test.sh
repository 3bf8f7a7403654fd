#!/usr/bin/env bash
# Test on several GPUs (or, without GPUs, in several CPU processes) of one or more machines.
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
# In place of CHECKPOINT, --model=hf://OWNER/REPOSITORY tests a model of the hub.
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR, PORT on each. PYTHON: the interpreter.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]" >&2
    exit 2
fi
. "$(dirname "$0")/setup/launch_env.sh"

launch_torchrun "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
