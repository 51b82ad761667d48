"""Throughput of the training loop against its own bare step and against an equal PyTorch loop.

    python benchmarks/training.py                      # this machine's CPU
    python benchmarks/training.py --cores 1            # one core: for a machine in use
    python benchmarks/training.py --contestants step step_plain step_noflags torch torch_folded
    python benchmarks/training.py --device gpu --batch 256 --steps 40

Network: U-Net on a ResNet18 encoder (`described`), 128 x 128 pixels x 13 bands, cells of 32
pixels, log loss, Adam 1e-3. Every contestant is a process of its own that waits while the others
run, so one thread pool never disturbs another; rounds are interleaved in one run, because single
timings on a shared machine swing by a factor of two. On a GPU the computation is bfloat16.

``step_plain`` computes pooling and the decoder's convolutions as they are defined, ``step_noflags``
leaves XLA's flags alone, ``torch_folded`` gives PyTorch the decoder's identity too, and
``torch_compiled`` is `torch.compile`, which needs a C++ compiler.

Where other jobs run, threads that wait for each other lose unequally (PyTorch's more than XLA's):
then compare processor time on one core.

PyTorch is no dependency of the project. Install it beside it, for example
`pip install torch==2.13.0`, or name another interpreter by `--torch-python`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIDE, BANDS, CELL, SAMPLES = 128, 13, 32, 256
ENCODER, DECODER = (64, 128, 256, 512), (256, 128, 64, 32, 16)
MAIN = ("step", "loop", "torch")
CONTESTANTS = (*MAIN, "step_plain", "step_noflags", "torch_folded", "torch_compiled")


def data(samples):
    """Random pixels and presence, the same for all."""
    import numpy as np

    rng = np.random.default_rng(0)
    cells = SIDE // CELL
    return {
        "pixels": rng.standard_normal((samples, SIDE, SIDE, BANDS), dtype=np.float32),
        "presence": rng.integers(0, 2, (samples, cells, cells)).astype(np.float32),
        "weight": np.ones((samples, cells, cells), np.float32),
    }


class Clock:
    """Wall time and processor time of this process since `start`."""

    def start(self):
        """Begin to measure."""
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def answer(self, steps):
        """Tell the parent what was measured, wait until it asks again, and start anew."""
        wall, processor = time.perf_counter() - self.wall, time.process_time() - self.processor
        print(json.dumps({"wall": wall, "processor": processor, "steps": steps}), flush=True)
        if not sys.stdin.readline().strip():
            sys.exit(0)
        self.start()


def start_jax(options):
    """Flags before JAX, then JAX."""
    from hazard.training.platform import set_cpu_flags

    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
        if options.worker != "step_noflags":
            set_cpu_flags()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    return jax


def network(options):
    """The network of both JAX contestants."""
    from hazard.models.described_susceptibility import (
        DescribedSusceptibility,
        DescribedSusceptibilityConfig,
    )

    if options.worker == "step_plain":
        from hazard.models import described_susceptibility as used
        from hazard.models.doubled_convolution import plain_doubled_convolution
        from hazard.models.max_pooling import plain_max_pool

        used.doubled_convolution, used.max_pool = plain_doubled_convolution, plain_max_pool
    compute = "bfloat16" if options.device == "gpu" else "float32"
    config = DescribedSusceptibilityConfig(bands=BANDS, pixels_per_cell=CELL, compute=compute)
    return lambda rngs: DescribedSusceptibility(config, rngs)


def optimiser_config():
    from hazard.training.optimiser import OptimiserConfig

    return OptimiserConfig(rule="adam", learning_rate=1e-3, clip_norm=None)


def run_step(options):
    """The compiled step alone, on one batch that never changes."""
    jax = start_jax(options)
    from flax import nnx

    from hazard.training.functional import functional, variables_of
    from hazard.training.objective import LossTerm, make_objective
    from hazard.training.optimiser import make_optimiser
    from hazard.training.step import initial_state, make_step

    module = network(options)(nnx.Rngs(0))
    optimiser = make_optimiser(optimiser_config())
    objective = make_objective([LossTerm(term="log_loss")])
    step = make_step(functional(module), objective, optimiser)
    state = initial_state(variables_of(module), optimiser)
    batch = {k: jax.numpy.asarray(v) for k, v in data(options.batch).items()}
    key = jax.random.key(0)
    if options.device == "gpu":
        # Scanned, as the loop does it there.
        def many(state):
            return jax.lax.scan(lambda s, _: step(s, batch, key), state, None, options.steps)

        compiled = jax.jit(many, donate_argnums=0)
    else:
        single = jax.jit(step, donate_argnums=0)

        def compiled(state):
            for _ in range(options.steps):
                state, info = single(state, batch, key)
            return state, info

    state, info = compiled(state)
    jax.block_until_ready(info)
    clock = Clock()
    clock.start()
    clock.answer(0)
    while True:
        state, info = compiled(state)
        jax.block_until_ready((state, info))
        clock.answer(options.steps)


def run_loop(options):
    """`train` as it is: gathering, orders, looks at the losses, progress."""
    start_jax(options)
    from hazard.training.curriculum import Stage
    from hazard.training.data import device_source
    from hazard.training.loop import train
    from hazard.training.objective import LossTerm
    from hazard.training.records import TrainingSettings

    clock = Clock()
    clock.start()

    def progress(now):
        # A look is a round; the first one compiles.
        clock.answer(options.steps)

    stage = Stage(
        name="benchmark", terms=(LossTerm(term="log_loss"),), epochs=10**6,
        batch_size=options.batch, optimiser=optimiser_config(),
    )  # fmt: skip
    samples = options.batch * options.steps * max(1, SAMPLES // (options.batch * options.steps))
    train(
        network(options), [stage], device_source(data(samples)),
        settings=TrainingSettings(
            steps_per_call=options.steps if options.device == "gpu" else 1,
            # A CPU looks once a round, a GPU at every call, which is a round.
            look_every=1 if options.device == "gpu" else options.steps,
        ),
        progress=progress,
    )  # fmt: skip


def torch_doubled(torch, x, skip, weight):
    """What `hazard.models.doubled_convolution` does, in PyTorch: weight (out, in, 3, 3)."""
    conv = torch.nn.functional.conv2d
    up, side = weight[:, : x.shape[1]], weight[:, x.shape[1] :]

    def halves(k, axis):
        a, b, c = k.unbind(axis)
        return torch.stack([a, b + c], axis), torch.stack([a + b, c], axis)

    phases = []
    for p, row in enumerate(halves(up, 2)):
        for q, kernel in enumerate(halves(row, 3)):
            padded = torch.nn.functional.pad(x, (1 - q, q, 1 - p, p))
            phases.append(conv(padded, kernel.contiguous(memory_format=torch.channels_last)))
    # Written phase by phase into the bands' own order, so that channels stay last.
    patch, bands, rows, cols = phases[0].shape
    last = [phase.permute(0, 2, 3, 1) for phase in phases]
    rows_of = [torch.stack(last[2 * p : 2 * p + 2], 3) for p in (0, 1)]
    nested = torch.stack(rows_of, 2).reshape(patch, 2 * rows, 2 * cols, bands)
    out = nested.permute(0, 3, 1, 2)
    return out if skip is None else out + conv(skip, side, padding=1)


def torch_network(torch, folded):
    """The same U-Net in PyTorch."""
    nn = torch.nn

    def conv_norm(bands, out, size, stride, relu=True):
        layers = [
            nn.Conv2d(bands, out, size, stride, padding=size // 2, bias=False),
            nn.BatchNorm2d(out, eps=1e-3, momentum=0.01),
        ]
        return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))

    class Block(nn.Module):
        def __init__(self, bands, out, stride):
            super().__init__()
            self.first = conv_norm(bands, out, 3, stride)
            self.second = conv_norm(out, out, 3, 1, relu=False)
            project = stride != 1 or bands != out
            self.short = conv_norm(bands, out, 1, stride, relu=False) if project else nn.Identity()

        def forward(self, x):
            return torch.relu(self.second(self.first(x)) + self.short(x))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = conv_norm(BANDS, ENCODER[0], 7, 2)
            self.pool = nn.MaxPool2d(3, 2, 1)
            stages, bands = [], ENCODER[0]
            for i, width in enumerate(ENCODER):
                stages.append(
                    nn.Sequential(Block(bands, width, 2 if i else 1), Block(width, width, 1))
                )
                bands = width
            self.down = nn.ModuleList(stages)
            ups = []
            for skip, width in zip((256, 128, 64, 64, 0), DECODER, strict=True):
                ups.append(
                    nn.Sequential(
                        conv_norm(bands + skip, width, 3, 1), conv_norm(width, width, 3, 1)
                    )
                )
                bands = width
            self.up = nn.ModuleList(ups)
            self.head = nn.Conv2d(bands, 1, 3, padding=1)

        def forward(self, x):
            x = self.stem(x)
            skips = [x]
            x = self.pool(x)
            for stage in self.down:
                x = stage(x)
                skips.append(x)
            skips.pop()
            for block in self.up:
                skip = skips.pop() if skips else None
                if folded:
                    conv, norm, relu = block[0]
                    x = block[1](relu(norm(torch_doubled(torch, x, skip, conv.weight))))
                    continue
                x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
                x = block(x if skip is None else torch.cat([x, skip], 1))
            return nn.functional.avg_pool2d(self.head(x), CELL)[:, 0]

    return UNet()


def run_torch(options):
    """A plain PyTorch loop: batches gathered by index, channels last, fused where it helps."""
    import torch

    torch.manual_seed(0)
    gpu = options.device == "gpu"
    device = torch.device("cuda" if gpu else "cpu")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    folded = options.worker == "torch_folded"
    model = torch_network(torch, folded).to(device).to(memory_format=torch.channels_last)
    count = sum(p.numel() for p in model.parameters())
    step_model = torch.compile(model) if gpu or options.worker == "torch_compiled" else model
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=True)
    samples = options.batch * options.steps * max(1, SAMPLES // (options.batch * options.steps))
    arrays = {k: torch.from_numpy(v).to(device) for k, v in data(samples).items()}
    arrays["pixels"] = arrays["pixels"].permute(0, 3, 1, 2).to(memory_format=torch.channels_last)

    def rounds(steps):
        order = torch.randperm(samples, device=device)
        for i in range(steps):
            rows = order[(torch.arange(options.batch, device=device) + i * options.batch) % samples]
            with torch.autocast(device.type, torch.bfloat16, enabled=gpu):
                logit = step_model(arrays["pixels"][rows])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logit.float(), arrays["presence"][rows], arrays["weight"][rows]
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if gpu:
            torch.cuda.synchronize()
        return float(loss.detach())

    rounds(options.steps)
    print(f"torch parameters: {count}", file=sys.stderr)
    clock = Clock()
    clock.start()
    clock.answer(0)
    while True:
        rounds(options.steps)
        clock.answer(options.steps)


def launch(name, options):
    """A worker process, warmed up and waiting."""
    python = options.torch_python if name.startswith("torch") else sys.executable
    command = [python, __file__, "--worker", name, "--device", options.device]
    command += ["--batch", str(options.batch), "--steps", str(options.steps)]
    command += ["--cores", str(options.cores)] if options.cores else []
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    line = worker.stdout.readline()
    if not line:
        worker.wait()
        print(f"{name}: did not start (for PyTorch see the head of this file)", file=sys.stderr)
        return None
    return worker


def ask(worker, options):
    """Patches per second of one round, by the wall and by the processor."""
    worker.stdin.write("go\n")
    worker.stdin.flush()
    found = json.loads(worker.stdout.readline())
    patches = found["steps"] * options.batch
    return patches / found["wall"], patches / found["processor"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8, help="steps of one round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=MAIN)
    parser.add_argument("--cores", type=int, help="cores each may use; all unless given")
    parser.add_argument("--torch-python", default=sys.executable, help="interpreter with torch")
    parser.add_argument("--worker", choices=CONTESTANTS)
    options = parser.parse_args()
    if options.worker:
        if options.cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.cores :])
        kind = options.worker.split("_")[0]
        {"step": run_step, "loop": run_loop, "torch": run_torch}[kind](options)
        return
    workers = {name: launch(name, options) for name in options.contestants}
    workers = {name: worker for name, worker in workers.items() if worker is not None}
    rates = {name: [] for name in workers}
    for number in range(options.rounds):
        for name, worker in workers.items():
            rates[name].append(ask(worker, options))
            wall, processor = rates[name][-1]
            print(
                f"round {number}: {name} {wall:.1f}, {processor:.1f} per processor second",
                file=sys.stderr, flush=True,
            )  # fmt: skip
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    load = os.getloadavg()[0]
    print(
        f"device {options.device}, batch {options.batch}, {options.steps} steps a round, "
        f"{options.rounds} rounds, {options.cores or os.cpu_count()} cores, "
        f"load at the end {load:.1f}"
    )
    # Per processor second too: on a shared machine the wall counts what others compute.
    for index, unit in enumerate(("patches/s", "patches per processor second")):
        values = {name: [pair[index] for pair in pairs] for name, pairs in rates.items()}
        print(unit)
        for name, found in values.items():
            print(f"  {name:14s} best {max(found):7.2f}  median {statistics.median(found):7.2f}")
        pairs = [("loop", "step"), *((a, b) for a in ("loop", "step") for b in CONTESTANTS[2:])]
        for above, below in pairs:
            if above in values and below in values:
                ratios = [a / b for a, b in zip(values[above], values[below], strict=True)]
                best = max(values[above]) / max(values[below])
                print(
                    f"  {above} / {below}: of the best {best:.2f}, median of the rounds "
                    f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
                )


if __name__ == "__main__":
    main()
