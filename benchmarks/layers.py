"""Where a training step of the U-Net goes: convolutions one by one, and the rewritten layers.

    taskset -c 0 python benchmarks/layers.py

Least processor time of five runs, one core, float32, batch 16, the shapes of `described` on
128 x 128 pixels x 13 bands.
"""

from __future__ import annotations

import time

BATCH, RUNS = 16, 5
# Name, pixels along a side, bands in and out, kernel, stride, times in the network.
CONVOLUTIONS = (
    ("stem", 128, 13, 64, 7, 2, 1),
    ("stage 1", 32, 64, 64, 3, 1, 4),
    ("stage 2", 16, 128, 128, 3, 1, 3),
    ("stage 3", 8, 256, 256, 3, 1, 3),
    ("stage 4", 4, 512, 512, 3, 1, 3),
    ("up 1, second", 8, 256, 256, 3, 1, 1),
    ("up 2, second", 16, 128, 128, 3, 1, 1),
    ("up 3, second", 32, 64, 64, 3, 1, 1),
    ("up 4, second", 64, 32, 32, 3, 1, 1),
    ("up 5, second", 128, 16, 16, 3, 1, 1),
    ("head", 128, 16, 1, 3, 1, 1),
)
# Name, pixels before doubling, bands, bands of the skip, bands out.
DOUBLED = (
    ("up 1", 4, 512, 256, 256),
    ("up 2", 8, 256, 128, 128),
    ("up 3", 16, 128, 64, 64),
    ("up 4", 32, 64, 64, 32),
    ("up 5", 64, 32, 0, 16),
)


def main():
    from hazard.training.platform import set_cpu_flags

    set_cpu_flags()
    import jax
    import numpy as np

    from hazard.models import doubled_convolution, max_pooling

    rng = np.random.default_rng(0)

    def random(*shape):
        return jax.numpy.asarray(rng.standard_normal(shape, dtype=np.float32))

    def cost(function, *inputs):
        """Milliseconds of processor time."""
        compiled = jax.jit(function)
        jax.block_until_ready(compiled(*inputs))
        found = []
        for _ in range(RUNS):
            start = time.process_time()
            jax.block_until_ready(compiled(*inputs))
            found.append(1e3 * (time.process_time() - start))
        return min(found)

    def training(function, *inputs):
        """Of the output and the gradients of all inputs."""
        gradient = random(*jax.eval_shape(function, *inputs).shape)

        def both(gradient, *inputs):
            out, back = jax.vjp(function, *inputs)
            return out, back(gradient)

        return cost(both, gradient, *inputs)

    print("convolution: ms (10^9 operations/s) of output, gradient of input (the")
    print("network needs none of the stem's), gradient of kernel")
    for name, side, bands, out, size, stride, times in CONVOLUTIONS:
        x, kernel = random(BATCH, side, side, bands), random(size, size, bands, out)
        gradient = random(BATCH, side // stride, side // stride, out)

        def conv(x, kernel, stride=stride):
            return jax.lax.conv_general_dilated(
                x, kernel, (stride, stride), "SAME", dimension_numbers=doubled_convolution.LAYOUT
            )

        costs = (
            cost(conv, x, kernel),
            cost(lambda x, k, g: jax.vjp(lambda x: conv(x, k), x)[1](g), x, kernel, gradient),
            cost(lambda x, k, g: jax.vjp(lambda k: conv(x, k), k)[1](g), x, kernel, gradient),
        )
        work = 2e-6 * BATCH * (side // stride) ** 2 * size**2 * bands * out
        row = "  ".join(f"{ms:6.1f} ({work / ms:5.0f})" for ms in costs)
        print(f"  {times} x {name:12s} {row}", flush=True)

    print("doubled, joined, convolved, with all gradients: ms as defined, folded")
    for name, side, bands, skip, out in DOUBLED:
        inputs = [random(BATCH, side, side, bands), random(3, 3, bands + skip, out)]
        inputs += [random(BATCH, 2 * side, 2 * side, skip)] if skip else []
        costs = [
            training(lambda x, kernel, skip=None: layer(x, skip, kernel), *inputs)  # noqa: B023
            for layer in (
                doubled_convolution.plain_doubled_convolution,
                doubled_convolution.folded_doubled_convolution,
            )
        ]
        print(f"  {name} {costs[0]:6.1f} {costs[1]:6.1f}", flush=True)

    print("max pool 3 / 2 with its gradient: ms as XLA has it, ours")
    x = jax.numpy.maximum(random(BATCH, 64, 64, 64), 0)
    for layer in (max_pooling.plain_max_pool, max_pooling.max_pool):
        print(f"  {training(lambda x: layer(x, 3, 2, 'SAME'), x):6.1f}", flush=True)  # noqa: B023


if __name__ == "__main__":
    main()
