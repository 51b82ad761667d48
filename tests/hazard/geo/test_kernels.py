"""Compiled loops: bands cover each row once, and an unwritable cache only costs time."""

import numpy as np
import pytest

import hazard.geo.kernels as kernels


@pytest.mark.parametrize("rows", [1, 2, 7, 5000])
@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_bands_cover_each_row_once_and_sums_add_up(rows, threads):
    times = np.zeros(rows, int)

    def work(row0, row1):
        times[row0:row1] += 1
        return row1 - row0

    assert kernels.in_row_bands((rows, 100_000), work, threads) == rows
    assert (times == 1).all()


def test_an_error_in_a_band_reaches_the_caller():
    def work(row0, row1):
        raise RuntimeError(f"rows {row0} to {row1}")

    with pytest.raises(RuntimeError, match="rows"):
        kernels.in_row_bands((1000, 1000), work, 2)


def test_a_loop_compiles_without_a_place_for_its_cache(monkeypatch):
    real = kernels.njit

    def nowhere_to_write(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function 'loop': no locator available")
        return real(**options)

    monkeypatch.setattr(kernels, "njit", nowhere_to_write)

    @kernels.kernel
    def loop(n):
        total = 0
        for i in range(n):
            total += i
        return total

    assert loop(5) == 10


def test_other_failures_to_compile_are_not_hidden(monkeypatch):
    def broken(**options):
        raise RuntimeError("out of order")

    monkeypatch.setattr(kernels, "njit", broken)
    with pytest.raises(RuntimeError, match="out of order"):
        kernels.kernel(lambda n: n)
