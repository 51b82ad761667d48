"""QGIS styles (.qml) for the maps: colour-blind-safe scales, equal over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

# Nine colours of viridis and of magma (S. van der Walt and N. Smith, CC0), dark to light.
_VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962",
            "#addc30", "#fde725")  # fmt: skip
_MAGMA = ("#000004", "#1d1147", "#51127c", "#832681", "#b73779", "#e75263", "#fc8961",
          "#fec488", "#fcfdbf")  # fmt: skip


def style_text(*, unit: str, scale: str, largest: float) -> str:
    """A style with nine classes of a continuous colour ramp.

    Args:
        unit: shown in the legend.
        scale: ``probability``, ``percent`` (steps grow with the value, since densities are
            skewed) or ``spread``.
        largest: upper end of the scale.

    Example:
        >>> text = style_text(unit="1", scale="probability", largest=1.0)
        >>> text.count("<item ")
        9
    """
    colours = _MAGMA if scale == "spread" else _VIRIDIS
    values = _steps(scale, largest, len(colours))
    suffix = "" if unit == "1" else f" {unit}"
    items = "\n".join(
        f'          <item value="{v:.6g}" color="{c}" alpha="255" '
        f"label={quoteattr(f'{v:.3g}{suffix}')}/>"
        for v, c in zip(values, colours, strict=True)
    )
    return f"""<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.28" styleCategories="Symbology">
  <pipe>
    <rasterrenderer type="singlebandpseudocolor" band="1" opacity="1" alphaBand="-1"
      classificationMin="{values[0]:.6g}" classificationMax="{values[-1]:.6g}" nodataColor="">
      <rastershader>
        <colorrampshader colorRampType="INTERPOLATED" classificationMode="1" clip="0"
          minimumValue="{values[0]:.6g}" maximumValue="{values[-1]:.6g}" labelPrecision="4">
{items}
        </colorrampshader>
      </rastershader>
    </rasterrenderer>
    <rasterresampler maxOversampling="2"/>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
"""


def _steps(scale: str, largest: float, n: int) -> Sequence[float]:
    power = 2.0 if scale == "percent" else 1.0
    return [largest * (i / (n - 1)) ** power for i in range(n)]
