#!/usr/bin/env bash
# The tests that need a GPU, and the suite on it, on a machine that has one.  Installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "skipped: no CUDA device here"
    exit 0
fi
python -m pytest -n 0 -m gpu
# Memory and processes are questions about the CPU.
python benchmarks/run.py fit_overhead over_erm annotated_share predict growth peers --device cuda
