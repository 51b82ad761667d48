r"""Which pixels an output depends on, found by running a network on spans instead of arrays.

Place j of a feature map of stride s stands at pixel $j s$ and depends, along each axis, on the
pixels from $j s - b$ to $j s + a$. Every layer changes (s, b, a) by a rule of its own; the layers
of `detection.models` accept a `Span` where they accept an array, so the receptive field comes
from the same lines of code as the logits and cannot fall behind them. The bounds hold for every
place; places at some offset of the coarsest stride reach them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Span:
    """Pixels behind one place of a feature map, along one axis.

    Attributes:
        stride: pixels from one place to the next.
        before: pixels that count before the place's own.
        after: pixels that count after it.
        coarsest: largest stride on the way.

    Example:
        >>> Span().window(3, before=1).window(2, stride=2)
        Span(stride=2, before=1, after=2, coarsest=2)
    """

    stride: int = 1
    before: int = 0
    after: int = 0
    coarsest: int = 1

    def window(self, size: int, *, stride: int = 1, before: int = 0) -> Span:
        """After a convolution or a pooling: `before` places of the window lie before its own."""
        step = self.stride * stride
        return Span(
            step,
            self.before + before * self.stride,
            self.after + (size - 1 - before) * self.stride,
            max(self.coarsest, step),
        )

    def repeated(self, factor: int) -> Span:
        """After nearest-neighbour upsampling: place j comes from place j // factor."""
        fine = self._finer(factor)
        return replace(self, stride=fine, before=self.before + (factor - 1) * fine)

    def transposed(self, size: int, stride: int) -> Span:
        """After a transposed convolution, aligned so that place i feeds stride * i and later."""
        fine = self._finer(stride)
        if stride == 1:
            return self.window(size, before=size - 1 - (size - 1) // 2)
        return replace(self, stride=fine, before=self.before + (size - 1) * fine)

    def interpolated(self, factor: int) -> Span:
        """After bilinear upsampling by an even factor, pixel centres at halves."""
        fine = self._finer(factor)
        reach = self.stride + self.stride // 2
        return replace(
            self,
            stride=fine,
            before=self.before + reach - fine,
            after=self.after + self.stride // 2,
        )

    def joined(self, *others: Span) -> Span:
        """After adding, multiplying or joining maps of equal stride.

        Raises:
            ValueError: the strides differ.
        """
        spans = (self, *others)
        if len({span.stride for span in spans}) != 1:
            raise ValueError(f"maps of strides {', '.join(str(s.stride) for s in spans)} joined")
        return Span(
            self.stride,
            max(span.before for span in spans),
            max(span.after for span in spans),
            max(span.coarsest for span in spans),
        )

    def _finer(self, factor: int) -> int:
        if self.stride % factor:
            raise ValueError(f"a map of stride {self.stride} upsampled by {factor}")
        return self.stride // factor


@dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """Pixels that the logit of a pixel depends on, along each axis.

    Attributes:
        before_px: pixels above (or left of) the pixel.
        after_px: pixels below (or right of) it.
        stride_px: the sides of an image must be multiples of it, and a tile gives the values of
            the whole image only if it starts at a multiple.
    """

    before_px: int
    after_px: int
    stride_px: int

    @property
    def side_px(self) -> int:
        """Side of the square [px]."""
        return self.before_px + 1 + self.after_px

    @property
    def halo_px(self) -> int:
        """Margin around a tile that makes it as good as the whole image, a multiple of the stride.

        Example:
            >>> ReceptiveField(before_px=30, after_px=33, stride_px=16).halo_px
            48
        """
        return -(-max(self.before_px, self.after_px) // self.stride_px) * self.stride_px
