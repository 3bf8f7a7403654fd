# Read by the dist_*.sh and slurm_*.sh scripts, with TOOLS set: interpreter and network settings.

# The environment of `make setup` is used where the Python on PATH lacks PyTorch.
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python
    if [ -x "$TOOLS/../.venv/bin/python" ] && ! python -c "import torch" >/dev/null 2>&1; then
        PYTHON=$TOOLS/../.venv/bin/python
    fi
fi

NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
MASTER_ADDR=${MASTER_ADDR:-127.0.0.1}
PORT=${PORT:-29500}
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
# What PyTorch's launcher would set as well, with a long warning.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
