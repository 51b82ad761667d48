"""The contestant of benchmarks/mapping.py with PyTorch: equal networks and a sliding window.

The U-Net takes its weights from a file that a process with JAX has written, so that this one has
no JAX in its memory.
"""

import os

from benchmarks.mapping import BANDS, BATCH, LAYERS, UNET_FILTERS, Clock, warm, weights


def store_unet(path):
    """Weights of the U-Net and its receptive field, for a process without JAX."""
    import numpy as np
    from flax import nnx

    from detection.models.registry import build_model
    from hazard.training.functional import variables_of

    module = build_model("unet", {"bands": BANDS, "filters": UNET_FILTERS}, nnx.Rngs(0))
    variables, field = variables_of(module), module.receptive_field()
    reach = (field.before_px, field.after_px, field.stride_px)
    np.savez(path, reach=np.array(reach), **variables.params, **variables.stats)
    return {}


def torch_unet(torch, stored):
    """The U-Net by PyTorch, with the stored weights."""
    from benchmarks.segmentation import torch_network

    model = torch_network(torch, UNET_FILTERS, bands=BANDS).eval()

    def put(target, source, axes=None):
        values = stored[source] if axes is None else stored[source].transpose(axes)
        with torch.no_grad():
            target.copy_(torch.from_numpy(values.copy()))

    def put_block(block, name):
        for index in range(2):
            conv, norm = block[3 * index], block[3 * index + 1]
            put(conv.weight, f"{name}/layers/{index}/conv/kernel", (3, 2, 0, 1))
            put(conv.bias, f"{name}/layers/{index}/conv/bias")
            pairs = ((norm.weight, "scale"), (norm.bias, "bias"),
                     (norm.running_mean, "mean"), (norm.running_var, "var"))  # fmt: skip
            for target, part in pairs:
                put(target, f"{name}/layers/{index}/norm/{part}")

    for level in range(4):
        put_block(model.down[level], f"encoder/levels/{level}")
        put_block(model.blocks[level], f"decoder/levels/{level}/block")
        put(model.ups[level].weight, f"decoder/levels/{level}/up/kernel", (3, 2, 0, 1))
        put(model.ups[level].bias, f"decoder/levels/{level}/up/bias")
    put_block(model.bridge, "bridge")
    put(model.head.weight, "head/logit/kernel", (3, 2, 0, 1))
    put(model.head.bias, "head/logit/bias")
    return model.to(memory_format=torch.channels_last)


def torch_forward(network, stored_path):
    """The network by PyTorch, and its receptive field."""
    import numpy as np
    import torch

    from detection.models.span import ReceptiveField

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if network == "unet":
        stored = np.load(stored_path)
        before, after, stride = (int(v) for v in stored["reach"])
        field = ReceptiveField(before_px=before, after_px=after, stride_px=stride)
        model = torch_unet(torch, stored)
    else:
        reach = LAYERS + 1
        field = ReceptiveField(before_px=reach, after_px=reach, stride_px=1)
        kernels = [torch.from_numpy(k.transpose(3, 2, 0, 1).copy()) for k in weights()]

        def model(x):
            for number, kernel in enumerate(kernels):
                x = torch.nn.functional.conv2d(x, kernel, padding=1)
                x = torch.relu(x) if number + 1 < len(kernels) else x
            return x[:, 0]

    def run(batch):
        with torch.inference_mode():
            x = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2)
            return np.ascontiguousarray(torch.sigmoid(model(x)).numpy())

    return run, field


def sliding_window(path, network, stored, out):
    """Windows read as they are needed, PyTorch, one row of tiles in memory."""
    forward, field = torch_forward(network, stored)
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    from detection.mapping.tiles import plan_tiles

    with rasterio.open(path) as dataset:
        tiling, profile = plan_tiles(dataset.shape, field), dataset.profile
    rows, columns = tiling.rows, tiling.columns
    side = rows.size_px
    warm(forward, side, BATCH)
    profile.update(count=1, dtype="float32", compress="deflate", predictor=3)
    clock = Clock()
    with (
        rasterio.open(path) as dataset,
        rasterio.open(out / "torch.tif", "w", **profile) as target,
    ):
        for y, (y0, y1) in zip(rows.starts, rows.parts, strict=True):
            strip = np.empty((y1 - y0, columns.length_px), np.float32)
            for first in range(0, len(columns), BATCH):
                some = range(first, min(first + BATCH, len(columns)))
                batch = np.zeros((BATCH, side, side, BANDS), np.float32)
                for k, column in enumerate(some):
                    x = columns.starts[column]
                    # Beyond the edge of the scene stay zeros, up to a multiple of the stride.
                    high, wide = min(side, rows.length_px - y), min(side, columns.length_px - x)
                    read = dataset.read(window=Window(x, y, wide, high))
                    batch[k, :high, :wide] = np.moveaxis(read, 0, -1) * np.float32(1e-4)
                found = forward({"image": batch})
                for k, column in enumerate(some):
                    x, (x0, x1) = columns.starts[column], columns.parts[column]
                    strip[:, x0:x1] = found[k, y0 - y : y1 - y, x0 - x : x1 - x]
            target.write(strip, 1, window=Window(0, y0, strip.shape[1], strip.shape[0]))
    return {**clock.read(), "file": str(out / "torch.tif")}
