"""Measure speed and memory.

    python benchmarks/run.py                    # all, into docs/results/benchmarks.{json,md}
    python benchmarks/run.py predict growth     # some; the figures of the others stay
    python benchmarks/run.py --quick            # a minute, to see that all run; nothing is written

The page is written anew from the JSON file; texts between its meaning marks are kept.
"""

import argparse
import importlib
import os
import platform
import re
from pathlib import Path

import torch
from _benchmark import Options
from _page import merge, verdict, write_page

NAMES = (
    *("fit_overhead", "over_erm", "annotated_share", "predict"),
    *("growth", "memory", "search", "peers", "drawn_masks"),
    *("seeds", "larger"),
)
_RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "benchmarks.json"


def main(arguments=None):
    """Measure what the command line names."""
    chosen = _parse(arguments)
    n_threads = 1 if chosen.threads == "1" else os.cpu_count()
    torch.set_num_threads(n_threads)
    options = Options(chosen.repeats, chosen.quick, chosen.device, warm_up=not chosen.quick)
    benchmarks = {name: importlib.import_module(name).BENCHMARK for name in NAMES}
    for name in chosen.names or NAMES:
        entry = {
            "command": _command(name, chosen),
            "machine": _machine(chosen.device, n_threads),
            "rows": list(_printed(benchmarks[name], options)),
        }
        if chosen.json:
            figures = merge(chosen.json, name, f"{chosen.device}, {n_threads}", entry)
            write_page(chosen.output or chosen.json.with_suffix(".md"), benchmarks, figures)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--repeats", type=int, help="turns that count (default: 7; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="smallest sizes")
    parser.add_argument("--threads", choices=("1", "all"), default="1", help="of torch")
    parser.add_argument("--device", default="cpu", help="where networks run, such as cuda")
    parser.add_argument("--json", type=Path, help="figures (default: docs/results/benchmarks.json)")
    parser.add_argument("--output", type=Path, help="page (default: beside the figures)")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if chosen.repeats is None:
        chosen.repeats = 1 if chosen.quick else Options.repeats
    if chosen.json is None and not chosen.quick:
        chosen.json = _RESULTS
    return chosen


def _printed(benchmark, options):
    """Yield the rows, each printed as it comes."""
    print(f"\n{benchmark.title}\n{' | '.join(column.title for column in benchmark.columns)} | goal")
    for row in benchmark.measure(options):
        cells = [column.cell(row) for column in benchmark.columns]
        print(" | ".join([*cells, verdict(benchmark, row)]), flush=True)
        yield row


def _command(name, chosen):
    command = f"python benchmarks/run.py {name}"
    for option, default in {"repeats": Options.repeats, "threads": "1", "device": "cpu"}.items():
        value = getattr(chosen, option)
        if value != default:
            command += f" --{option} {value}"
    return command + (" --quick" if chosen.quick else "")


def _machine(device, n_threads):
    """Describe what was measured on."""
    threads = "one thread" if n_threads == 1 else f"{n_threads} threads"
    processor = f"{_processor()}, {os.cpu_count()} cores, {threads}"
    if torch.device(device).type == "cuda":
        processor = f"{torch.cuda.get_device_name(device)} beside {processor}"
    return f"{processor}, torch {torch.__version__}, Python {platform.python_version()}."


def _processor():
    information = Path("/proc/cpuinfo")
    found = information.exists() and re.search(r"model name\s*: (.*)", information.read_text())
    return found[1] if found else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
