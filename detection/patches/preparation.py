"""From raw patches to what a network eats: indices, topography and standardisation, on the device.

The rule is fitted once, on the training pixels that count, and is stored with the network, so that
a model takes raw values, in the bands and unit it was trained on, and nothing else. It runs behind
the augmentation: indices follow the changed bands, slope and hillshade the turned ground.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from detection.scenes.indices import require_bands, with_indices
from detection.scenes.topography import require_layers, topography
from hazard.errors import DataError

LAYOUT = "detection-preparation"
LAYOUT_VERSION = 1
PIECE = 16  # patches looked at together while fitting: bounds the memory


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How raw patches become inputs: (value - mean) / scale per channel, 0 where not seen.

    Attributes:
        bands: bands that the image must have, in this order.
        unit: unit that they must be in.
        indices: spectral indices appended to the bands (`detection.scenes.indices`).
        topography: layers made from elevation (`detection.scenes.topography`); none where empty.
        pixel_m: side of a pixel [m]; None where nobody knows, which allows no topography.
        mean: of every channel of `image`, bands then indices.
        scale: standard deviation of every channel, positive.
        topography_mean: of every layer of `topography`.
        topography_scale: standard deviation of every layer, positive.
        use_pre: whether the earlier image is an input; it is standardised by the same numbers, so
            a pixel that did not change looks the same in both.

    Raises:
        ValueError: numbers of channels that do not fit, or a scale that is not positive.

    Example:
        >>> rule = Preparation(bands=("red", "nir"), unit="1", indices=("ndvi",), topography=(),
        ...     pixel_m=3.0, mean=(0.1, 0.3, 0.5), scale=(0.1, 0.1, 0.2), use_pre=False)
        >>> rule.channels, Preparation.from_json(rule.to_json()) == rule
        (('red', 'nir', 'ndvi'), True)
    """

    bands: tuple[str, ...]
    unit: str
    indices: tuple[str, ...]
    topography: tuple[str, ...]
    pixel_m: float | None
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    topography_mean: tuple[float, ...] = ()
    topography_scale: tuple[float, ...] = ()
    use_pre: bool = False

    def __post_init__(self) -> None:
        for names, mean, scale in (
            (self.channels, self.mean, self.scale),
            (self.topography, self.topography_mean, self.topography_scale),
        ):
            if not len(names) == len(mean) == len(scale):
                raise ValueError(
                    f"{len(mean)} means and {len(scale)} scales of {len(names)} channels {names}"
                )
            numbers = np.asarray([*mean, *scale])
            if not np.isfinite(numbers).all() or min(scale, default=1.0) <= 0:
                raise ValueError(f"mean {mean} and scale {scale}; use finite ones, scales above 0")
        if self.topography and self.pixel_m is None:
            raise ValueError("topography needs the size of a pixel in metres")
        for name in self.indices:
            require_bands(name, self.bands)
        require_layers(self.topography)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of `image` (and of `pre`): bands, then indices."""
        return (*self.bands, *self.indices)

    @property
    def inputs(self) -> dict[str, int]:
        """Channels of every array that `prepare` returns.

        Example:
            >>> Preparation(bands=("red",), unit="1", indices=(), topography=(), pixel_m=None,
            ...     mean=(0.0,), scale=(1.0,), use_pre=True).inputs
            {'image': 1, 'pre': 1}
        """
        found = {"image": len(self.channels)}
        if self.use_pre:
            found["pre"] = len(self.channels)
        if self.topography:
            found["topography"] = len(self.topography)
        return found

    def to_json(self) -> str:
        """The rule as text; `from_json` gives it back exactly."""
        return json.dumps(
            {"layout": LAYOUT, "layout_version": LAYOUT_VERSION, **asdict(self)}, indent=2
        )

    @classmethod
    def from_json(cls, text: str, *, source: str = "preparation") -> Preparation:
        """The rule behind `to_json`.

        Raises:
            DataError: not such a text, or one of another version.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            layout = record.pop("layout"), record.pop("layout_version")
            if layout != (LAYOUT, LAYOUT_VERSION):
                raise ValueError(f"layout {layout[0]!r} of version {layout[1]}")
            fields: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in record.items()
            }
            return cls(**fields)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                source,
                found=f"a text that cannot be used ({' '.join(str(error).split())[:200]})",
                expected=f"layout {LAYOUT!r}, version {LAYOUT_VERSION}",
            ) from error

    def require(self, bands: Sequence[str], unit: str, pixel_m: float | None) -> None:
        """Refuse patches of other bands, another unit or another pixel.

        Pixels may differ by 5 %: scenes are cut on lattices of their own.

        Raises:
            DataError: naming what differs.
        """
        if tuple(bands) != self.bands:
            raise DataError(
                "patches", found=f"bands {', '.join(bands)}",
                expected=f"{', '.join(self.bands)}, in this order",
            )  # fmt: skip
        if unit != self.unit:
            raise DataError("patches", found=f"unit {unit!r}", expected=f"{self.unit!r}")
        if self.pixel_m is None and pixel_m is None:
            return
        if self.pixel_m is None or pixel_m is None or abs(pixel_m / self.pixel_m - 1) > 0.05:
            raise DataError(
                "patches", found=f"pixels of {_metres(pixel_m)}", expected=_metres(self.pixel_m)
            )


def _metres(size: float | None) -> str:
    return "unknown size" if size is None else f"{size:g} m"


def prepare(
    preparation: Preparation, batch: Mapping[str, Array]
) -> dict[str, Float[Array, "patch y x channel"]]:
    """Inputs of a network from a raw batch; pure, for use inside jit.

    Args:
        preparation: the rule.
        batch: ``image`` (patch, y, x, band) and ``valid`` (patch, y, x); with `use_pre` also
            ``pre`` and ``pre_valid``; with topography also ``elevation_m`` (patch, y, x).

    Returns:
        ``image``, and ``pre`` and ``topography`` where the rule asks for them, in float32. A pixel
        that was not seen is 0, the mean, in every channel, whatever number stood there, and
        tells its neighbours no elevation: the rim of what an augmentation filled is no cliff.

    Raises:
        ValueError: an array that the rule asks for is not in the batch.
    """
    result = {"image": _standardised(preparation, batch, "image", "valid")}
    if preparation.use_pre:
        result["pre"] = _standardised(preparation, batch, "pre", "pre_valid")
    if preparation.topography:
        assert preparation.pixel_m is not None
        elevation = jnp.asarray(_taken(batch, "elevation_m"), jnp.float32)
        valid = jnp.asarray(_taken(batch, "valid")).astype(bool)
        layers, known = topography(elevation, preparation.pixel_m, preparation.topography, valid)
        mean = jnp.asarray(preparation.topography_mean, jnp.float32)
        scale = jnp.asarray(preparation.topography_scale, jnp.float32)
        result["topography"] = jnp.where(known[..., None], (layers - mean) / scale, 0)
    return result


def _taken(batch: Mapping[str, Array], name: str) -> Array:
    if name not in batch:
        raise ValueError(f"no {name!r} in the batch; it has {', '.join(sorted(batch))}")
    return batch[name]


def _standardised(rule: Preparation, batch: Mapping[str, Array], name: str, seen: str) -> Array:
    image = jnp.asarray(_taken(batch, name), jnp.float32)
    valid = jnp.asarray(_taken(batch, seen)).astype(bool)[..., None]
    if image.shape[-1] != len(rule.bands):
        raise ValueError(f"{name} of {image.shape[-1]} bands; use {', '.join(rule.bands)}")
    channels = with_indices(jnp.where(valid, image, 0), rule.bands, rule.indices)
    mean = jnp.asarray(rule.mean, jnp.float32)
    return jnp.where(valid, (channels - mean) / jnp.asarray(rule.scale, jnp.float32), 0)


def fit_preparation(
    train: PatchSet,
    *,
    indices: Sequence[str] = ("ndvi",),
    topography: Sequence[str] = ("slope", "hillshade"),
    use_pre: bool | None = None,
) -> Preparation:
    """Means and standard deviations of every channel over the training pixels that count.

    A pixel counts where it was seen and mapped; of the earlier image, where that was seen too.
    Overlapping patches count a pixel as often as they hold it, as training does.

    Args:
        train: the training patches, and no others.
        indices: spectral indices to append.
        topography: layers to make from elevation; () for patches without it.
        use_pre: whether the earlier image is an input; where there is one, if None.

    Raises:
        DataError: bands that an index needs are missing, no elevation or pixel size for
            topography, no earlier image, nothing that counts, numbers that are not finite, or a
            channel that is the same everywhere and so cannot be scaled.
    """
    pre = (train.pre is not None) if use_pre is None else use_pre
    if pre and train.pre is None:
        raise DataError("training patches", found="no earlier image", expected="one (use_pre)")
    for name in indices:
        require_bands(name, train.bands)
    layers = tuple(topography)
    require_layers(layers)
    if layers and (train.elevation_m is None or train.pixel_m is None):
        lacking = "elevation" if train.elevation_m is None else "size of a pixel"
        raise DataError(
            "training patches", found=f"no {lacking}", expected=f"one, to make {', '.join(layers)}"
        )
    names = (*train.bands, *indices)
    mean, scale = _moments(_image_values(train, tuple(indices), pre), names)
    ground: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    if layers:
        ground = _moments(_ground_values(train, layers), layers)
    return Preparation(
        bands=train.bands, unit=train.unit, indices=tuple(indices), topography=layers,
        pixel_m=train.pixel_m, mean=mean, scale=scale, topography_mean=ground[0],
        topography_scale=ground[1], use_pre=pre,
    )  # fmt: skip


# Compiled once per size of a piece; run operation by operation, each would be compiled alone.
_with_indices = jax.jit(with_indices, static_argnums=(1, 2))
_topography = jax.jit(topography, static_argnums=(1, 2))


def _pieces(n: int) -> Iterator[slice]:
    return (slice(start, start + PIECE) for start in range(0, n, PIECE))


def _filled(values: ndarray[Any, Any], n: int) -> ndarray[Any, Any]:
    """The last piece filled up with zeros, so that all pieces have one shape."""
    lacking = min(PIECE, n) - len(values)
    return np.pad(values, ((0, lacking), *((0, 0),) * (values.ndim - 1))) if lacking else values


def _image_values(
    train: PatchSet, indices: tuple[str, ...], pre: bool
) -> Iterator[Float[ndarray, "pixel channel"]]:
    """Channels of the pixels that count, a few patches at a time."""

    def channels(image: ndarray[Any, Any], counted: ndarray[Any, Any]) -> ndarray[Any, Any]:
        shown = np.where(counted[..., None], image, 0).astype(np.float32)
        made = _with_indices(_filled(shown, len(train)), train.bands, indices)
        return np.asarray(made)[: len(counted)][counted]

    for part in _pieces(len(train)):
        counted = train.valid[part] & train.known[part]
        yield channels(train.image[part], counted)
        if pre:
            assert train.pre is not None
            assert train.pre_valid is not None
            yield channels(train.pre[part], counted & train.pre_valid[part])


def _ground_values(
    train: PatchSet, layers: tuple[str, ...]
) -> Iterator[Float[ndarray, "pixel layer"]]:
    assert train.elevation_m is not None
    assert train.pixel_m is not None
    for part in _pieces(len(train)):
        elevation = _filled(train.elevation_m[part].astype(np.float32), len(train))
        valid = _filled(train.valid[part], len(train))
        made, seen = _topography(elevation, train.pixel_m, layers, valid)
        known = np.asarray(seen)[: len(train.known[part])] & train.known[part]
        yield np.asarray(made)[: len(known)][known]


def _moments(
    pieces: Iterator[Float[ndarray, "pixel channel"]], names: Sequence[str]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and population standard deviation in float64, pooled piece by piece.

    Two pieces of n and m values, means a and b and summed squared deviations A and B, pool to
    mean a + (b - a) m / (n + m) and deviations A + B + (b - a)^2 n m / (n + m).
    """
    count = 0
    mean = np.zeros(len(names))
    squares = np.zeros(len(names))
    for piece in pieces:
        n = len(piece)
        if n == 0:
            continue
        values = piece.astype(np.float64)
        bad = ~np.isfinite(values).all(axis=0)
        if bad.any():
            raise DataError(
                "training patches",
                found=f"values of {names[int(bad.argmax())]!r} that are not finite, where they "
                "count",
                expected="numbers wherever a pixel is valid",
            )
        own = values.mean(axis=0)
        step = own - mean
        squares += ((values - own) ** 2).sum(axis=0) + step**2 * count * n / (count + n)
        mean += step * n / (count + n)
        count += n
    if count == 0:
        raise DataError(
            "training patches", found="no pixel that was seen and mapped", expected="some"
        )
    scale = np.sqrt(squares / count)
    flat = scale <= 1e-6 * np.abs(mean)
    if flat.any():
        place = int(flat.argmax())
        raise DataError(
            "training patches",
            found=f"{names[place]!r} equal to {mean[place]:g} in all {count:,} pixels that count",
            expected="values that differ, to scale by",
        )
    return tuple(mean.tolist()), tuple(scale.tolist())


def batch_arrays(patches: PatchSet) -> dict[str, ndarray[Any, Any]]:
    """Raw arrays by the names that augmentation, preparation and losses read.

    Returns:
        ``image``, ``valid``, ``mask`` (truth, float32) and ``weight`` (1 where a pixel counts,
        float32); ``pre``, ``pre_valid`` and ``elevation_m`` where the set has them.
    """
    found: dict[str, ndarray[Any, Any]] = {
        "image": patches.image.astype(np.float32, copy=False),
        "valid": patches.valid,
        "mask": patches.truth.astype(np.float32),
        "weight": patches.counted.astype(np.float32),
    }
    if patches.pre is not None and patches.pre_valid is not None:
        found["pre"] = patches.pre.astype(np.float32, copy=False)
        found["pre_valid"] = patches.pre_valid
    if patches.elevation_m is not None:
        found["elevation_m"] = patches.elevation_m.astype(np.float32, copy=False)
    return found
