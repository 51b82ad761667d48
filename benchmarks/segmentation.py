"""Throughput of the training of a U-Net: bare step, whole loop, loop with augmentation, PyTorch.

    python -m benchmarks.segmentation                          # this machine's CPU
    python -m benchmarks.segmentation --cores 1 --steps 2      # one core: for a machine in use
    python -m benchmarks.segmentation --torch-python /path/to/python
    python -m benchmarks.segmentation --device gpu --batch 256 --steps 40

Network: `unet` with 32 filters (batch norm everywhere, mirrored decoder), 128 x 128 pixels, four
bands and NDVI, cross-entropy, Adam 1e-3. ``step`` is the compiled step on one prepared batch that
never changes. ``loop`` is `detection.training.fit_network` as it is: raw values gathered on the
device, prepared inside the step, looks at the losses. ``augmented`` is the same with the default
augmentation. ``torch`` is an equal network and loop in PyTorch on batches that are prepared and not
augmented; ``torch_compiled`` is `torch.compile`, which needs a C++ compiler.

Every contestant is a process of its own that waits while the others run, and rounds are interleaved
in one run, because single timings on a shared machine swing by a factor of two. On a GPU the
computation is bfloat16. Where other jobs run, compare processor time on one core.

PyTorch is no dependency of the project: without it its rows are left out, with the reason. Install
it beside, or name another interpreter by `--torch-python`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.training import Clock, ask

ROOT = Path(__file__).resolve().parents[1]
SIDE, SENSOR_BANDS, BANDS = 128, 4, 5
MAIN = ("step", "loop", "augmented", "torch")
CONTESTANTS = (*MAIN, "torch_compiled")


def start_jax(options):
    """Flags before JAX, then JAX."""
    from hazard.training.platform import set_cpu_flags

    if options.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
        set_cpu_flags()
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    return jax


def patches(number):
    """Raw patches: noise, with a disc of landslide each."""
    import numpy as np

    from detection.patches.patch_set import PatchOrigin, PatchSet

    rng = np.random.default_rng(0)
    shape = (number, SIDE, SIDE)
    y, x = np.mgrid[:SIDE, :SIDE]
    truth = np.broadcast_to((y - 64) ** 2 + (x - 64) ** 2 < 400, shape).copy()
    return PatchSet(
        bands=("blue", "green", "red", "nir"),
        unit="1",
        pixel_m=3.0,
        image=rng.uniform(0.05, 0.4, (*shape, SENSOR_BANDS)).astype(np.float32),
        valid=np.ones(shape, bool),
        truth=truth,
        known=np.ones(shape, bool),
        origin=tuple(
            PatchOrigin(scene=f"s{i}", region="r", epoch="e", row=0, column=0)
            for i in range(number)
        ),
        synthetic=True,
    )


def settings(options):
    compute = "bfloat16" if options.device == "gpu" else "float32"
    return {"filters": options.filters, "variant": "symmetric", "compute": compute}


def run_step(options):
    """The compiled step alone, on one prepared batch that never changes."""
    jax = start_jax(options)
    import numpy as np
    from flax import nnx

    from detection.losses.terms import DETECTION_TERMS
    from detection.models.registry import build_model
    from hazard.training.functional import functional, variables_of
    from hazard.training.objective import LossTerm, make_objective
    from hazard.training.optimiser import OptimiserConfig, make_optimiser
    from hazard.training.step import initial_state, make_step

    module = build_model("unet", {**settings(options), "bands": BANDS}, nnx.Rngs(0))
    print(f"parameters: {sum(v.size for v in variables_of(module).params.values())}",
          file=sys.stderr)  # fmt: skip
    optimiser = make_optimiser(OptimiserConfig(learning_rate=1e-3, clip_norm=None))
    objective = make_objective([LossTerm(term="cross_entropy")], DETECTION_TERMS)
    step = make_step(functional(module), objective, optimiser)
    state = initial_state(variables_of(module), optimiser)
    rng = np.random.default_rng(0)
    shape = (options.batch, SIDE, SIDE)
    batch = {
        "image": jax.numpy.asarray(rng.standard_normal((*shape, BANDS), np.float32)),
        "mask": jax.numpy.asarray(rng.random(shape) < 0.1, jax.numpy.float32),
        "weight": jax.numpy.ones(shape),
    }
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
    """`fit_network` as it is; every look at the losses is a round, the first one compiles."""
    start_jax(options)
    from dataclasses import replace

    from detection.augmentation.hook import make_hook
    from detection.augmentation.presets import augmentation
    from detection.training.fit_network import Inputs, NetworkChoice, fit_network
    from detection.training.recipes import recipe
    from hazard.training.objective import LossTerm
    from hazard.training.optimiser import OptimiserConfig

    clock = Clock()
    clock.start()
    gpu = options.device == "gpu"
    used = replace(
        recipe("default"), epochs=10**6, batch_size=options.batch, decay_over_training=False,
        optimiser=OptimiserConfig(learning_rate=1e-3, clip_norm=None),
        terms=(LossTerm(term="cross_entropy"),),
    )  # fmt: skip

    hook = make_hook(augmentation("default")) if options.worker == "augmented" else None
    fit_network(
        NetworkChoice(name="unet", settings=settings(options)),
        patches(options.batch * options.steps), None, recipe=used,
        inputs=Inputs(indices=("ndvi",), topography=(), use_pre=False), augment=hook,
        # A CPU looks at the losses once a round, a GPU at every call, which is a round.
        steps_per_call=options.steps if gpu else 1, look_every=1 if gpu else options.steps,
        progress=lambda at: clock.answer(options.steps),
    )  # fmt: skip


def torch_network(torch, filters, bands=BANDS):
    """The same U-Net in PyTorch."""
    nn = torch.nn

    def block(read, out):
        layers = []
        for index in range(2):
            layers += [
                nn.Conv2d(read if index == 0 else out, out, 3, padding=1),
                nn.BatchNorm2d(out, eps=1e-3, momentum=0.01),
                nn.ReLU(inplace=True),
            ]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [filters * 2**level for level in range(5)]
            above = [bands, *widths]
            self.down = nn.ModuleList(block(above[i], widths[i]) for i in range(4))
            self.bridge = block(widths[3], widths[4])
            self.ups = nn.ModuleList(
                nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2) for i in (3, 2, 1, 0)
            )
            self.blocks = nn.ModuleList(block(2 * widths[i], widths[i]) for i in (3, 2, 1, 0))
            self.head = nn.Conv2d(filters, 1, 1)

        def forward(self, x):
            skips = []
            for level in self.down:
                skips.append(level(x))
                x = nn.functional.max_pool2d(skips[-1], 2)
            x = self.bridge(x)
            for up, level in zip(self.ups, self.blocks, strict=True):
                x = level(torch.cat([skips.pop(), up(x)], 1))
            return self.head(x)[:, 0]

    return UNet()


def run_torch(options):
    """A plain PyTorch loop on prepared batches: gathered by index, channels last."""
    import torch

    torch.manual_seed(0)
    gpu = options.device == "gpu"
    device = torch.device("cuda" if gpu else "cpu")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = torch_network(torch, options.filters).to(device)
    model = model.to(memory_format=torch.channels_last)
    print(f"torch parameters: {sum(p.numel() for p in model.parameters())}", file=sys.stderr)
    compiled = gpu or options.worker == "torch_compiled"
    step_model = torch.compile(model) if compiled else model
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=True)
    samples = options.batch * options.steps
    image = torch.randn(samples, BANDS, SIDE, SIDE, device=device)
    image = image.to(memory_format=torch.channels_last)
    mask = (torch.rand(samples, SIDE, SIDE, device=device) < 0.1).float()
    weight = torch.ones_like(mask)

    def rounds(steps):
        order = torch.randperm(samples, device=device)
        for i in range(steps):
            rows = order[i * options.batch : (i + 1) * options.batch]
            with torch.autocast(device.type, torch.bfloat16, enabled=gpu):
                logit = step_model(image[rows])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logit.float(), mask[rows], weight[rows]
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if gpu:
            torch.cuda.synchronize()
        return float(loss.detach())

    rounds(options.steps)
    clock = Clock()
    clock.start()
    clock.answer(0)
    while True:
        rounds(options.steps)
        clock.answer(options.steps)


def launch(name, options):
    """A worker process, warmed up and waiting; None, with the reason, where it cannot start."""
    python = options.torch_python if name.startswith("torch") else sys.executable
    if name.startswith("torch"):
        found = subprocess.run(
            [python, "-c", "import torch"], capture_output=True, text=True, check=False
        )
        if found.returncode:
            reason = (found.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"{name}: left out, {python} has no PyTorch ({reason})", file=sys.stderr)
            return None
    command = [python, "-m", "benchmarks.segmentation", "--worker", name]
    command += ["--device", options.device, "--filters", str(options.filters)]
    command += ["--batch", str(options.batch), "--steps", str(options.steps)]
    command += ["--cores", str(options.cores)] if options.cores else []
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    if not worker.stdout.readline():
        print(f"{name}: left out, it ended with status {worker.wait()}", file=sys.stderr)
        return None
    return worker


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4, help="steps of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=MAIN)
    parser.add_argument("--cores", type=int, help="cores each may use; all unless given")
    parser.add_argument("--torch-python", default=sys.executable, help="interpreter with torch")
    parser.add_argument("--worker", choices=CONTESTANTS)
    options = parser.parse_args()
    if options.worker:
        if options.cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.cores :])
        kind = {"step": run_step, "loop": run_loop, "augmented": run_loop}
        kind.get(options.worker, run_torch)(options)
        return
    workers = {name: launch(name, options) for name in options.contestants}
    workers = {name: worker for name, worker in workers.items() if worker is not None}
    rates = {name: [] for name in workers}
    for number in range(options.rounds):
        for name, worker in workers.items():
            rates[name].append(ask(worker, options))
            wall, processor = rates[name][-1]
            print(
                f"round {number}: {name} {wall:.2f}, {processor:.2f} per processor second",
                file=sys.stderr, flush=True,
            )  # fmt: skip
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    print(
        f"device {options.device}, {options.filters} filters, batch {options.batch}, "
        f"{options.steps} steps a round, {options.rounds} rounds, "
        f"{options.cores or os.cpu_count()} cores, load at the end {os.getloadavg()[0]:.1f}"
    )
    for index, unit in enumerate(("patches/s", "patches per processor second")):
        values = {name: [pair[index] for pair in pairs] for name, pairs in rates.items()}
        print(unit)
        for name, found in values.items():
            print(f"  {name:14s} best {max(found):7.2f}  median {statistics.median(found):7.2f}")
        for above, below in (
            ("loop", "step"), ("augmented", "step"), ("step", "torch"), ("loop", "torch"),
            ("augmented", "torch"), ("loop", "torch_compiled"),
        ):  # fmt: skip
            if above in values and below in values:
                ratios = [a / b for a, b in zip(values[above], values[below], strict=True)]
                best = max(values[above]) / max(values[below])
                print(
                    f"  {above} / {below}: of the best {best:.2f}, median of the rounds "
                    f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
                )


if __name__ == "__main__":
    main()
