"""Embedded worlds over seeds: the table of observed against simulated statistics, time, memory.

python -m benchmarks.world --seeds 10
python -m benchmarks.world --seeds 1 --pixels-per-cell 32 --build runs/world
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path

from hazard.world.build import build_world
from hazard.world.settings import WorldConfig
from tests.calibration import compare, run_seed, table


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="seeds 1 to this number")
    parser.add_argument("--pixels-per-cell", type=int, default=4)
    parser.add_argument("--kind", default="gorkha_like")
    parser.add_argument("--build", type=Path, help="build a full world here instead and time it")
    parser.add_argument("--json", type=Path, help="write the lines here too")
    options = parser.parse_args()
    settings = {"pixels_per_cell": options.pixels_per_cell, "kind": options.kind}
    wall, cpu = time.perf_counter(), time.process_time()
    if options.build is not None:
        shutil.rmtree(options.build, ignore_errors=True)
        build_world(WorldConfig.model_validate({**settings, "seed": 1}), options.build)
    else:
        runs = []
        for seed in range(1, options.seeds + 1):
            runs.append(run_seed(WorldConfig.model_validate({**settings, "seed": seed})))
            print(f"seed {seed}: {time.perf_counter() - wall:.0f} s", flush=True)
        lines = compare(runs)
        print(table(lines))
        print(f"{sum(not line.agrees for line in lines)} of {len(lines)} lines outside")
        if options.json is not None:
            options.json.write_text(json.dumps([vars(line) for line in lines], default=float))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"wall {time.perf_counter() - wall:.0f} s, CPU {time.process_time() - cpu:.0f} s, "
        f"peak memory {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
