"""Scenes made on the fly, of any size, and forward functions that pickle."""

import os
import signal
from dataclasses import dataclass, field

import numpy as np
from affine import Affine

from detection.mapping.source import ArrayScene
from detection.scenes.scene import Scene
from hazard.geo.grid import Grid

BANDS = ("blue", "green", "red", "nir")


def utm(shape, side=3.0):
    return Grid(crs="EPSG:32645", transform=Affine(side, 0, 3e5, 0, -side, 3.1e6), shape=shape)


@dataclass(frozen=True)
class RampScene:
    """Values that are known everywhere and stored nowhere: a plane from 0 to 1 in every band."""

    shape: tuple[int, int]
    bands: tuple[str, ...] = BANDS
    name: str = "ramp"
    facts: dict = field(default_factory=lambda: {"sensor": "none", "synthetic": True})

    @property
    def grid(self):
        return utm(self.shape)

    def identity(self):
        return repr(self.shape)

    def plane(self, rows, columns):
        """Row and column numbers -> value."""
        height, width = self.shape
        return (0.25 * rows / height + 0.75 * columns / width).astype(np.float32)

    def read(self, block):
        rows = np.arange(block.row0, block.row1, dtype=np.float32)[:, None]
        columns = np.arange(block.col0, block.col1, dtype=np.float32)
        plane = self.plane(rows, columns)
        image = np.empty((*plane.shape, len(self.bands)), np.float32)
        image[:] = plane[..., None]
        return {"image": image, "valid": np.ones(plane.shape, np.bool_)}


def random_scene(shape, *, seed=0, bands=3, pre=False, unseen=0.1, name="random"):
    """Noise with blocks that were not seen; unseen pixels hold values that must not be used."""
    rng = np.random.default_rng(seed)

    def one():
        image = rng.random((*shape, bands), dtype=np.float32)
        valid = np.kron(rng.random((shape[0] // 8 + 1, shape[1] // 8 + 1)), np.ones((8, 8)))
        valid = valid[: shape[0], : shape[1]] >= unseen
        image[~valid] = np.where(rng.random((~valid).sum()) < 0.5, np.nan, 1e9)[:, None]
        return image, valid

    image, valid = one()
    before, before_valid = one() if pre else (None, None)
    return Scene(
        name=name, region="r", epoch="e", date=None, bands=("blue", "green", "red")[:bands],
        unit="1", sensor="none", grid=utm(shape), image=image, valid=valid, pre=before,
        pre_valid=before_valid, synthetic=True,
    )  # fmt: skip


def array_scene(*args, **kwargs):
    return ArrayScene(random_scene(*args, **kwargs))


def first_band(batch):
    """The image itself as probability."""
    return batch["image"][..., 0]


def box_mean(batch):
    """Mean over 5 x 5 pixels: sees two pixels far; zeros beyond the tile's edge."""
    values = np.pad(batch["image"][..., 0], ((0, 0), (2, 2), (2, 2)))
    height, width = values.shape[1:]
    total = np.zeros((len(values), height - 4, width - 4), np.float32)
    for row in range(5):
        for column in range(5):
            total += values[:, row : row + height - 4, column : column + width - 4]
    return total / np.float32(25)


@dataclass
class DiesAfter:
    """A forward function whose process is killed at a call."""

    calls: int
    count: int = 0

    def __call__(self, batch):
        self.count += 1
        if self.count > self.calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return box_mean(batch)
