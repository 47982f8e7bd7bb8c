"""Pictures that the trainer and PyTorch can both read, and norms of what they make of them, for the comparing scripts."""

import math

import numpy as np
import torch
from PIL import Image

CLASSES, BATCH = 10, 8
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values scaled to [0, 1]


def write_pictures(folder, count, size):
    """PNG files in ten classes: noise over sixteen coloured fields, so that they differ in more than noise."""
    random = np.random.Generator(np.random.PCG64(1))
    field = np.arange(size) * 4 // size
    for index in range(count):
        fields = random.integers(0, 256, (4, 4, 3))[field][:, field]
        pixels = np.clip(fields + random.integers(-64, 65, (size, size, 3)), 0, 255).astype(np.uint8)
        path = folder / f"class-{index * CLASSES // count}" / f"picture-{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def picture_files(folder):
    """All pictures and their labels, in the dataset's order: byte order of classes, then of paths."""

    def entries(of):
        return sorted(of.iterdir(), key=lambda path: path.name.encode())

    return [(path, label) for label, one in enumerate(entries(folder)) for path in entries(one)]


def read_pictures(folder):
    """All pictures, float64 NCHW, and their labels."""
    files = picture_files(folder)
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB"), dtype=np.float64) for path, _ in files])
    images = torch.from_numpy((pixels / 255 - np.array(MEAN)) / np.array(DEVIATION)).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor([label for _, label in files])


def wide(tensors):
    """The same tensors, floating-point ones in float64."""
    return {name: value.double() if value.is_floating_point() else value for name, value in tensors.items()}


def norm(tensors):
    """The L2 norm over all elements of several tensors."""
    return math.sqrt(sum(value.square().sum().item() for value in tensors))


def largest(shares, count=8):
    """The largest of several shares by name, what is not a number before all."""
    return sorted(shares.items(), key=lambda item: (item[1] == item[1], -item[1]))[:count]
