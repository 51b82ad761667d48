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
from hazard.world.parameters import Parameters
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


def detection_probability(config: WorldConfig, area_m2: Array) -> Array:
    """Probability that a new landslide of an area [m2] is mapped at all.

    Example:
        >>> detection_probability(WorldConfig(), np.array([50.0, 150.0, 1500.0])).round(3).tolist()
        [0.0, 0.5, 0.999]
    """
    odds = np.log(area_m2 / config.detection_half_area_m2) / config.detection_width
    return np.where(area_m2 >= config.minimum_mapping_area_m2, special.expit(odds), 0.0)


def map_inventories(
    config: WorldConfig,
    parameters: Parameters,
    landslides: Landslides,
    epochs: tuple[Epoch, ...],
) -> list[Visit | None]:
    """The inventories: the one before the earthquake, then one per epoch, None where missed."""
    m = parameters.mapper
    rng = random_stream(config, "mapper")
    n = landslides.area_m2.size
    centre = shapely.get_coordinates(shapely.centroid(landslides.polygon))
    x_km, y_km = to_km(centre[:, 0], centre[:, 1]) if n else (np.empty(0), np.empty(0))
    recovery = m.recovery_per_year * np.exp(m.recovery_log_sd * rng.standard_normal(n))
    found = rng.random(n) < detection_probability(config, landslides.area_m2)
    failed = np.array(
        [epochs[e].start.toordinal() if e >= 0 else epochs[0].start.toordinal() - 730
         for e in landslides.epoch], dtype=float,
    )  # fmt: skip
    share = np.zeros(n)
    dx, dy = np.zeros(n), np.zeros(n)
    visits: list[Visit | None] = []
    for visit in range(len(epochs) + 1):
        epoch = visit - 1
        if epoch >= 0 and epoch == config.missed_epoch:
            visits.append(None)
            continue
        stream = random_stream(config, "mapper", index=visit + 1)
        today = (epochs[epoch].last_day if epoch >= 0 else epochs[0].start).toordinal()
        age_years = np.maximum(today - failed, 0.0) / 365.25
        missed_before = config.missed_epoch is not None and epoch == config.missed_epoch + 1
        new = found & (landslides.epoch == epoch)
        if missed_before:
            new |= found & (landslides.epoch == epoch - 1)
        older = found & (landslides.epoch < epoch) & ~new
        patches = regional_field(range_km=m.patch_range_km, rng=stream, spacing_km=1.0)
        common = sample_region(patches, x_km, y_km, spacing_km=1.0) * m.patch_sd
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
        bare = np.exp(-recovery * age_years)
        # How generously he draws is a matter of the image, so of the patch, as much as of chance.
        width = regional_field(range_km=m.patch_range_km, rng=stream, spacing_km=1.0)
        generous = np.sqrt(m.redraw_patch_share) * sample_region(
            width, x_km, y_km, spacing_km=1.0
        ) + np.sqrt(1.0 - m.redraw_patch_share) * stream.standard_normal(n)
        redraw = np.exp(m.redraw_log_sd[max(epoch, 0)] * generous)
        fresh = np.minimum(np.where(new, 1.0, bare) * seen * redraw, LARGEST_SHARE)
        shift = config.misregistration_m * stream.standard_normal(2)
        own = 0.3 * config.misregistration_m * stream.standard_normal((2, n))
        before = share
        share = np.where(drawn, fresh, share)
        share = np.where(share * landslides.area_m2 < config.minimum_mapping_area_m2, 0.0, share)
        dx = np.where(drawn, shift[0] + own[0], dx)
        dy = np.where(drawn, shift[1] + own[1], dy)
        index = np.flatnonzero(share > 0.0)
        visits.append(
            Visit(
                index=index,
                share=share[index],
                dx_m=dx[index],
                dy_m=dy[index],
                changed=drawn | (before != share),
            )
        )
    return visits
