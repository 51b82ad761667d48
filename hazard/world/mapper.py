"""What a mapper records: cumulative outlines, looked at again in some images and not in others.

At each epoch the mapper starts from the last inventory. New landslides enter with a probability
that depends on their size. Of the older ones a share is drawn anew, patch by patch, as clouds,
shadow and season let him: then the outline shows the ground that is still bare, times the share
that the season's images show, at this epoch's position error. Dry-season images show more of an
old scar than post-monsoon ones, so area that had vanished returns without any new failure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import special

from hazard.geo.epochs import Epoch
from hazard.world.domain import Array, random_stream, to_km
from hazard.world.fields import regional_field, sample_region
from hazard.world.footprints import scaled
from hazard.world.landslides import Landslides
from hazard.world.parameters import MapperParameters, Parameters
from hazard.world.settings import WorldConfig

# No outline is drawn larger than this, so that neighbours stay apart.
LARGEST_SHARE = 1.3


@dataclass(frozen=True)
class Visit:
    """One inventory: which landslides are in it, and how they are drawn.

    Attributes:
        index: (k,) indices into the true landslides.
        share: (k,) drawn area over true area, > 0.
        dx_m: (k,) shift east.
        dy_m: (k,) shift north.
        changed: (n,) bool over all true landslides: differs from the visit before.
    """

    index: Array
    share: Array
    dx_m: Array
    dy_m: Array
    changed: Array

    def polygons(self, landslides: Landslides) -> Array:
        """(k,) outlines as drawn."""
        return scaled(landslides.polygon[self.index], np.sqrt(self.share), self.dx_m, self.dy_m)


@dataclass(frozen=True)
class Scars:
    """True landslides as the mapper meets them.

    Attributes:
        area_m2: (n,) true areas.
        epoch: (n,) zero-based epoch of failure; -1 before the earthquake.
        failed_day: (n,) ordinal day of failure.
        x_km: (n,) centroids east of the study's north-west corner.
        y_km: (n,) centroids south of it.
        found: (n,) bool: found at all; what is missed once stays missed.
        recovery_per_year: (n,) rate at which bare ground grows over.
    """

    area_m2: Array
    epoch: Array
    failed_day: Array
    x_km: Array
    y_km: Array
    found: Array
    recovery_per_year: Array


@dataclass(frozen=True)
class Outlines:
    """How every true landslide is drawn in the last inventory.

    Attributes:
        share: (n,) drawn area over true area, 0 where it is not in the inventory.
        dx_m: (n,) shift east.
        dy_m: (n,) shift north.
    """

    share: Array
    dx_m: Array
    dy_m: Array


def detection_probability(config: WorldConfig, area_m2: Array) -> Array:
    """Probability that a new landslide of an area [m2] is mapped at all.

    Example:
        >>> detection_probability(WorldConfig(), np.array([50.0, 150.0, 1500.0])).round(3).tolist()
        [0.0, 0.5, 0.999]
    """
    odds = np.log(area_m2 / config.detection_half_area_m2) / config.detection_width
    return np.where(area_m2 >= config.minimum_mapping_area_m2, special.expit(odds), 0.0)


def scars_of(
    config: WorldConfig,
    parameters: Parameters,
    polygon: Array,
    area_m2: Array,
    epoch: Array,
    epochs: tuple[Epoch, ...],
    rng: np.random.Generator,
) -> Scars:
    """True landslides with what chance gives each of them for good: found or not, recovery.

    Args:
        config: the world's settings.
        parameters: the planted values.
        polygon: (n,) true polygons.
        area_m2: (n,) their areas.
        epoch: (n,) zero-based epoch of failure; -1 before the earthquake.
        epochs: the epochs of the series.
        rng: random generator.
    """
    m, n = parameters.mapper, area_m2.size
    centre = shapely.get_coordinates(shapely.centroid(polygon))
    x_km, y_km = to_km(centre[:, 0], centre[:, 1]) if n else (np.empty(0), np.empty(0))
    recovery = m.recovery_per_year * np.exp(m.recovery_log_sd * rng.standard_normal(n))
    found = rng.random(n) < detection_probability(config, area_m2)
    # Two years before the earthquake, then the first day of each epoch.
    days = [epochs[0].start.toordinal() - 730, *[e.start.toordinal() for e in epochs]]
    failed = np.array(days, dtype=float)[epoch + 1]
    return Scars(area_m2, epoch, failed, x_km, y_km, found, recovery)


def draw_inventory(
    config: WorldConfig,
    m: MapperParameters,
    scars: Scars,
    epochs: tuple[Epoch, ...],
    epoch: int,
    last: Outlines,
    stream: np.random.Generator,
) -> tuple[Outlines, Array]:
    """The outlines after one epoch's images, from those of the inventory before.

    Args:
        config: the world's settings.
        m: how the mapper sees.
        scars: true landslides; those of later epochs are not seen yet.
        epochs: the epochs of the series.
        epoch: zero-based epoch of the images; -1 for those before the earthquake.
        last: how the scars are drawn so far.
        stream: random generator.

    Returns:
        The outlines, and (n,) bool: which of them differ from the last ones.
    """
    n, found = scars.area_m2.size, scars.found
    today = (epochs[epoch].last_day if epoch >= 0 else epochs[0].start).toordinal()
    age_years = np.maximum(today - scars.failed_day, 0.0) / 365.25
    missed_before = config.missed_epoch is not None and epoch == config.missed_epoch + 1
    new = found & (scars.epoch == epoch)
    if missed_before:
        new |= found & (scars.epoch == epoch - 1)
    older = found & (scars.epoch < epoch) & ~new
    patches = regional_field(range_km=m.patch_range_km, rng=stream, spacing_km=1.0)
    common = sample_region(patches, scars.x_km, scars.y_km, spacing_km=1.0) * m.patch_sd
    chance = (common + stream.standard_normal(n)) / np.hypot(m.patch_sd, 1.0)
    look = older & (special.ndtr(chance) < m.look[max(epoch, 0)])
    drawn = new | look
    mean = m.visible[max(epoch, 0)]
    concentration = m.visible_concentration
    part = stream.beta(mean * concentration, (1.0 - mean) * concentration, n)
    # Cloud, shadow and grass hide a part of some scars; the same patches matter here.
    hidden = (m.patch_share * common + stream.standard_normal(n)) / np.hypot(
        m.patch_share * m.patch_sd, 1.0
    )
    seen = np.where(special.ndtr(hidden) < m.partial[max(epoch, 0)], part, 1.0)
    bare = np.exp(-scars.recovery_per_year * age_years)
    # How generously he draws is a matter of the image, so of the patch, as much as of chance.
    width = regional_field(range_km=m.patch_range_km, rng=stream, spacing_km=1.0)
    generous = np.sqrt(m.redraw_patch_share) * sample_region(
        width, scars.x_km, scars.y_km, spacing_km=1.0
    ) + np.sqrt(1.0 - m.redraw_patch_share) * stream.standard_normal(n)
    redraw = np.exp(m.redraw_log_sd[max(epoch, 0)] * generous)
    fresh = np.minimum(np.where(new, 1.0, bare) * seen * redraw, LARGEST_SHARE)
    shift = config.misregistration_m * stream.standard_normal(2)
    own = 0.3 * config.misregistration_m * stream.standard_normal((2, n))
    share = np.where(drawn, fresh, last.share)
    share = np.where(share * scars.area_m2 < config.minimum_mapping_area_m2, 0.0, share)
    outlines = Outlines(
        share=share,
        dx_m=np.where(drawn, shift[0] + own[0], last.dx_m),
        dy_m=np.where(drawn, shift[1] + own[1], last.dy_m),
    )
    return outlines, drawn | (last.share != share)


def map_inventories(
    config: WorldConfig,
    parameters: Parameters,
    landslides: Landslides,
    epochs: tuple[Epoch, ...],
) -> list[Visit | None]:
    """The inventories: the one before the earthquake, then one per epoch, None where missed."""
    scars = world_scars(config, parameters, landslides, epochs)
    n = landslides.area_m2.size
    outlines = Outlines(np.zeros(n), np.zeros(n), np.zeros(n))
    visits: list[Visit | None] = []
    for epoch in range(-1, len(epochs)):
        if epoch >= 0 and epoch == config.missed_epoch:
            visits.append(None)
            continue
        stream = random_stream(config, "mapper", index=epoch + 2)
        outlines, changed = draw_inventory(
            config, parameters.mapper, scars, epochs, epoch, outlines, stream
        )
        index = np.flatnonzero(outlines.share > 0.0)
        visits.append(
            Visit(
                index=index,
                share=outlines.share[index],
                dx_m=outlines.dx_m[index],
                dy_m=outlines.dy_m[index],
                changed=changed,
            )
        )
    return visits


def world_scars(
    config: WorldConfig,
    parameters: Parameters,
    landslides: Landslides,
    epochs: tuple[Epoch, ...],
) -> Scars:
    """The scars of a world, from its own stream."""
    return scars_of(
        config, parameters, landslides.polygon, landslides.area_m2, landslides.epoch, epochs,
        random_stream(config, "mapper"),
    )  # fmt: skip
