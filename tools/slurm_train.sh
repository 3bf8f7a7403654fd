#!/usr/bin/env bash
# Train through Slurm.
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK set the resources; SRUN_ARGS holds more arguments of srun.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments]" >&2
    exit 2
fi
. "$(dirname "$0")/setup/launch_env.sh"

launch_srun "$1" "$2" train.py "$3" --work-dir "$4" --launcher slurm "${@:5}"
