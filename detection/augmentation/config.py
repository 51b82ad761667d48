"""What an augmentation may change, how far, and how often: one frozen record, JSON both ways."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Change:
    """A quantity drawn evenly between two ends, for a share of the samples.

    Attributes:
        low: smallest value.
        high: largest value.
        probability: share of the samples that are changed.

    Raises:
        ValueError: ends that are not finite or not in order, or no probability.
    """

    low: float
    high: float
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"range {self.low} to {self.high}; use finite ends in order")
        _require_probability("probability", self.probability)


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Random changes of training patches; nothing by default.

    Geometry is shared by everything that lies on the ground of a sample (image, earlier image,
    elevation, masks); radiometry is drawn for each image, and for each band, on its own.

    Attributes:
        vertical_flip: probability that rows are reversed.
        horizontal_flip: probability that columns are reversed.
        quarter_turn: probability of a turn by 0, 90, 180 or 270 degree, each as likely.
        rotation_deg: rotation about the centre, counter-clockwise [degree].
        shear_x_deg: columns move with rows, by the tangent of this angle [degree].
        shear_y_deg: rows move with columns [degree].
        scale: factor on lengths, drawn evenly in its logarithm: 0.5 is as likely as 2 [-].
        blur_px: standard deviation of a Gaussian blur [pixel].
        sharpen: weight of a 3 x 3 Laplacian sharpening, 0 to 1 [-].
        sharpen_lightness: ends of the sum of that kernel, drawn evenly; 1 keeps the mean.
        noise: standard deviation of independent Gaussian noise, in standard deviations of the
            band within the patch [-].
        gain: factor on a band [-].
        offset: what is added to a band, in its standard deviations within the patch [-].
        exclusive: at most one change per sample; the probabilities are then shares, and what they
            leave is the share of samples that stay as they are.
        interpolate_mask: interpolate the mask as the image is, so that it is no longer 0 or 1: a
            quirk of a published menu.
        count_filled: count the pixels behind the edge of the patch as seen, mapped and free of
            landslides, of value 0: another quirk. Otherwise they are invalid and weigh nothing.

    Raises:
        ValueError: a range that makes no sense, or shares above 1.

    Example:
        >>> config = AugmentationConfig(vertical_flip=0.5, gain=Change(low=0.9, high=1.1))
        >>> config.has_geometry, config.has_radiometry
        (True, True)
        >>> AugmentationConfig.from_mapping(config.to_mapping()) == config
        True
    """

    vertical_flip: float = 0.0
    horizontal_flip: float = 0.0
    quarter_turn: float = 0.0
    rotation_deg: Change | None = None
    shear_x_deg: Change | None = None
    shear_y_deg: Change | None = None
    scale: Change | None = None
    blur_px: Change | None = None
    sharpen: Change | None = None
    sharpen_lightness: tuple[float, float] = (1.0, 1.0)
    noise: Change | None = None
    gain: Change | None = None
    offset: Change | None = None
    exclusive: bool = False
    interpolate_mask: bool = False
    count_filled: bool = False

    def __post_init__(self) -> None:
        for name in FLIPS:
            _require_probability(name, getattr(self, name))
        for name in ("shear_x_deg", "shear_y_deg"):
            _require_ends(name, getattr(self, name), -80.0, 80.0)
        _require_ends("scale", self.scale, 0.05, 20.0)
        _require_ends("blur_px", self.blur_px, 0.0, 20.0)
        _require_ends("sharpen", self.sharpen, 0.0, 1.0)
        _require_ends("noise", self.noise, 0.0, math.inf)
        _require_ends("gain", self.gain, 0.0, math.inf)
        low, high = self.sharpen_lightness
        if not 0.0 < low <= high < math.inf:
            raise ValueError(f"sharpen_lightness {low} to {high}; use positive ends in order")
        if self.exclusive and sum(self.shares.values()) > 1.0 + 1e-9:
            raise ValueError(
                f"shares of exclusive changes add to {sum(self.shares.values()):g}; use at most 1"
            )

    @property
    def shares(self) -> dict[str, float]:
        """Probability of every change that can happen, geometry first."""
        found: dict[str, float] = {}
        for name in CHANGES:
            value = getattr(self, name)
            probability = value.probability if isinstance(value, Change) else float(value or 0.0)
            if probability > 0.0:
                found[name] = probability
        return found

    @property
    def has_geometry(self) -> bool:
        """Whether pixels can move."""
        return any(name in self.shares for name in GEOMETRY)

    @property
    def has_radiometry(self) -> bool:
        """Whether values can change."""
        return any(name in self.shares for name in RADIOMETRY)

    def change(self, name: str) -> Change:
        """The range of a change that can happen.

        Raises:
            ValueError: it cannot.
        """
        value = getattr(self, name)
        if not isinstance(value, Change):
            raise ValueError(f"{name} has no range")
        return value

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, as a configuration file holds them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> AugmentationConfig:
        """The record of plain values; what is not named stays off.

        Raises:
            ValueError: an unknown name, or values that make no sense.

        Example:
            >>> AugmentationConfig.from_mapping({"rotate": 3})
            Traceback (most recent call last):
            ValueError: augmentation: no setting 'rotate'
        """
        return cls().changed(values)

    def changed(self, values: Mapping[str, Any]) -> AugmentationConfig:
        """This record with the named settings replaced.

        Raises:
            ValueError: an unknown name, or values that make no sense.
        """
        known = {item.name for item in fields(self)}
        made: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"augmentation: no setting {name!r}")
            if isinstance(value, Mapping):
                made[name] = _change(name, value)
            else:
                made[name] = tuple(value) if isinstance(value, list) else value
        return replace(self, **made)


FLIPS = ("vertical_flip", "horizontal_flip", "quarter_turn")
GEOMETRY = (*FLIPS, "rotation_deg", "shear_x_deg", "shear_y_deg", "scale")
RADIOMETRY = ("blur_px", "sharpen", "gain", "offset", "noise")
CHANGES = (*GEOMETRY, *RADIOMETRY)


def _change(name: str, value: Mapping[str, Any]) -> Change:
    try:
        return Change(**value)
    except TypeError:
        raise ValueError(
            f"augmentation: {name} of {', '.join(map(str, value))}; use low, high and probability"
        ) from None


def _require_probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} {value}; use a number from 0 to 1")


def _require_ends(name: str, change: Change | None, low: float, high: float) -> None:
    if change is not None and not (low <= change.low and change.high <= high):
        raise ValueError(f"{name} {change.low} to {change.high}; use {low:g} to {high:g}")
