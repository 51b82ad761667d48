"""The multi-year inventories of China and Nepal through the multi-temporal bookkeeping.

    python -m benchmarks.multi_temporal FOLDER_WITH_THE_ZIPS [--out FOLDER]

Prints areas per epoch that add up, against everything seen before and against the previous date
alone, and how long it took.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from pathlib import Path

from detection.inventory.epoch_map import read_epoch_map
from detection.inventory.records import STATUSES, TrackingSettings
from detection.inventory.track import track
from detection.inventory.write import write_multi_temporal

SERIES = {
    "Nepal": ((2013, 2014, 2015, 2016, 2017, 2018, 2019), 3.0),
    "China": ((2009, 2011, 2013, 2014, 2017, 2018, 2019, 2021), 5.0),
}
MINIMUM_PART_M2 = 200.0


def maps_of(folder, region):
    years, pixel_m = SERIES[region]
    return [
        read_epoch_map(
            folder / f"{region}.zip", member=str(year), name=str(year),
            start=dt.date(year, 1, 1), end=dt.date(year, 12, 31), pixel_m=pixel_m,
        )
        for year in years
    ]  # fmt: skip


def show(found):
    names = " ".join(f"{s:>11s}" for s in STATUSES)
    print(f"epoch  mapped  visible  before | {names} | seams + / -   (km2; landslides)")
    for parts in found.epochs:
        a = parts.account
        cells = " ".join(f"{a[f'{s}_m2'] / 1e6:6.3f} {int(a[f'n_{s}']):4d}" for s in STATUSES)
        print(
            f"{parts.epoch.name}  {a['mapped_m2'] / 1e6:6.3f}  {a['visible_m2'] / 1e6:6.3f}  "
            f"{a['before_m2'] / 1e6:6.3f} | {cells} | {a['seam_gained_m2'] / 1e6:.3f} / "
            f"{a['seam_lost_m2'] / 1e6:.3f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    for region in SERIES:
        maps = maps_of(options.folder, region)
        for memory in ("everything", "previous"):
            settings = TrackingSettings(memory=memory, minimum_part_m2=MINIMUM_PART_M2)
            begun = time.perf_counter()
            found = track(maps, settings=settings)
            taken = time.perf_counter() - begun
            print(f"\n{region}, memory {memory}: {found.n_landslides} landslides, {taken:.1f} s")
            show(found)
            if options.out and memory == "everything":
                write_multi_temporal(options.out / region, found)


if __name__ == "__main__":
    main()
