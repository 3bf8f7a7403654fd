#!/usr/bin/env bash
# Test through Slurm.
#   bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
# In place of CHECKPOINT, --model=hf://OWNER/REPOSITORY tests a model of the hub.
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK set the resources; SRUN_ARGS holds more arguments of srun.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]" >&2
    exit 2
fi
. "$(dirname "$0")/setup/launch_env.sh"

launch_srun "$1" "$2" test.py "$3" "$4" --launcher slurm "${@:5}"
