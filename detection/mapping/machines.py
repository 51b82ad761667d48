"""Rows of tiles on many machines by dask: a cluster that runs, or processes of this machine.

Dask is an optional part of the installation (`pip install 'landslide-hazard[dask]'`). Workers are
started anew (spawn): a fork after JAX deadlocks. The job travels once to every worker; each row of
tiles comes back as one array, and the rows are added here in their order, so the map is the same
as by threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from detection.mapping.strips import MapJob, Part, compute_rows, in_order
from hazard.errors import UserError

LOCAL = "local"
ANSWER_WITHIN_S = 20.0


def row_on_worker(job: MapJob, row: int, threads: int) -> tuple[int, int, Any, Any]:
    """One row of tiles: first row of pixels, columns 0 on, values, seen pixels packed by bits."""
    ((_, part),) = compute_rows(job, [row], threads=threads)
    return part.row0, part.column0, part.values, np.packbits(part.valid)


@contextlib.contextmanager
def connect(scheduler: str, workers: int) -> Iterator[Any]:
    """A client of the scheduler at this address, or of processes of this machine (`local`).

    Raises:
        UserError: dask is not installed, or nothing answers at the address.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise UserError(
            f"scheduler {scheduler!r}: found no dask ({error.name}); expected it to be installed "
            "(pip install 'landslide-hazard[dask]'), or no scheduler, which uses threads"
        ) from error
    made: Any = distributed
    if scheduler != LOCAL:
        try:
            client = made.Client(scheduler, timeout=ANSWER_WITHIN_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(
                f"scheduler {scheduler!r}: found nothing that answers ({error}); expected the "
                "address of a running dask scheduler such as tcp://host:8786, or 'local'"
            ) from error
        with client:
            yield client
        return
    settings = {
        "distributed.worker.multiprocessing-method": "spawn",
        # A worker over its share of memory would be paused or killed: the job bounds its memory.
        "distributed.worker.memory.terminate": False,
        "distributed.worker.memory.pause": False,
    }
    with (
        dask.config.set(settings),
        made.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            # Also without a dashboard there is a server of figures, which would want port 8787.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            memory_limit=0,
            silence_logs=40,
        ) as cluster,
        made.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def rows_by_dask(
    job: MapJob,
    rows: Sequence[int],
    *,
    scheduler: str,
    workers: int = 2,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[int, Part]]:
    """Rows of tiles in their order, computed by the workers of a scheduler.

    Args:
        job: must be picklable, its source readable from every worker.
        rows: numbers of rows of tiles.
        scheduler: address, or `local`.
        workers: processes of `local`.
        threads: per row, on its worker.
        progress: called with the number of tiles done.

    Raises:
        UserError: see `connect`; or a job that cannot be sent.
    """
    with connect(scheduler, workers) as client:
        try:
            sent = client.scatter(job, broadcast=True, hash=False)
        except (TypeError, AttributeError) as error:
            raise UserError(
                f"scheduler {scheduler!r}: found a scene or forward function that cannot be sent "
                f"to workers ({error}); expected one that pickles"
            ) from error
        running = max(1, len(client.nthreads()))

        def submit(row: int) -> Any:
            return client.submit(row_on_worker, sent, row, threads, pure=False)

        for row, (row0, column0, values, bits) in in_order(submit, rows, 2 * running):
            count = values.size
            valid = np.unpackbits(bits, count=count).reshape(values.shape).astype(np.bool_)
            if progress is not None:
                progress(len(job.tiling.columns))
            yield row, Part(row0, column0, values, valid)
