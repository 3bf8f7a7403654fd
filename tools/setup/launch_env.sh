# Read by the dist_*.sh and slurm_*.sh scripts: interpreter, network settings, how to launch.

TOOLS=$(cd "$(dirname "$0")" && pwd)
# The environment of `make setup` is used where the Python on PATH lacks PyTorch.
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python
    if [ -x "$TOOLS/../.venv/bin/python" ] && ! python -c "import torch" >/dev/null 2>&1; then
        PYTHON=$TOOLS/../.venv/bin/python
    fi
fi

export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
# What PyTorch's launcher would set as well, with a long warning.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# launch_torchrun GPUS SCRIPT [arguments]
launch_torchrun() {
    exec "$PYTHON" "$TOOLS/launch.py" \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="${PORT:-29500}" \
        --nproc_per_node="$1" \
        "$TOOLS/$2" "${@:3}"
}

# launch_srun PARTITION JOB_NAME SCRIPT [arguments]
launch_srun() {
    local gpus=${GPUS:-8} extra
    local per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
    read -r -a extra <<<"${SRUN_ARGS:-}"
    exec srun -p "$1" \
        --job-name="$2" \
        --gres="gpu:$per_node" \
        --ntasks="$gpus" \
        --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${extra[@]+"${extra[@]}"} \
        "$PYTHON" -u "$TOOLS/$3" "${@:4}"
}
