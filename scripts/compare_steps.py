"""The Python part of scripts/compare-steps: writes the pictures, and compares a run of five steps on them with PyTorch.

For t = 0 … 4 PyTorch, in float64, loads the trainer's parameters, running statistics and momentum after step t, takes
step t + 1 on the same pictures, and is compared with the trainer's step t + 1:

  losses      the largest relative difference of the total, the main and the two auxiliary losses
  change      |(ours' - ours) - (torch' - ours)| / |torch' - ours|, the L2 norm over all parameters, ' after the step
  statistics  the largest |ours' - torch'| / |torch'| of the tensors of running means and variances, L2 norms over each
  counts      every num_batches_tracked is the same

Beside each figure stands what PyTorch's own float32 gives for the same step against its float64.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

CLASSES, BATCH, STEPS = 10, 8, 5
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, AUXILIARY_WEIGHT = 0.01, 0.9, 1e-4, 0.3
IMAGE_SIZE = {"googlenet-seed": 32, "googlenet": 224}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values scaled to [0, 1]
BOUNDS = {"losses": 5e-6, "change": 3e-2, "statistics": 2e-5}

# 1x1; 3x3 reduction, 3x3; double 3x3 reduction, double 3x3; after the pool: output channels of each module.
MODULES = [
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
]


def unit(inputs, outputs, kernel):
    """A convolution that keeps the size, batch norm and ReLU, to be laid end to end in a Sequential."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()


class SeedModule(nn.Module):
    def __init__(self, inputs, widths):
        super().__init__()
        one, reduce3, three, reduce5, five, pool = widths
        self.block1 = nn.Sequential(*unit(inputs, one, 1))
        self.block2 = nn.Sequential(*unit(inputs, reduce3, 1), *unit(reduce3, three, 3))
        self.block3 = nn.Sequential(*unit(inputs, reduce5, 1), *unit(reduce5, five, 3), *unit(five, five, 3))
        self.block4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *unit(inputs, pool, 1))
        self.outputs = one + three + five + pool

    def forward(self, x):
        return torch.cat([self.block1(x), self.block2(x), self.block3(x), self.block4(x)], dim=1)


class SeedHead(nn.Module):
    """An auxiliary classifier; its dropout is left out."""

    def __init__(self, inputs, classes):
        super().__init__()
        self.conv = nn.Sequential(*unit(inputs, 128, 1))
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.conv(F.avg_pool2d(x, 5, stride=3))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class SeedGoogLeNet(nn.Module):
    """The network of the tutorial for 32x32 images, slips corrected, with auxiliary heads after 4a and 4d."""

    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(*unit(3, 192, 3))
        inputs = 192
        for number, widths in enumerate(MODULES, start=1):
            module = SeedModule(inputs, widths)
            self.add_module(f"im{number}", module)
            inputs = module.outputs
        self.fc = nn.Linear(inputs * 2 * 2, classes)
        self.aux1 = SeedHead(self.im3.outputs, classes)
        self.aux2 = SeedHead(self.im6.outputs, classes)

    def forward(self, x):
        x = self.im2(self.im1(self.stem(x)))
        tap1 = self.im3(F.max_pool2d(x, 3, stride=2, padding=1))
        tap2 = self.im6(self.im5(self.im4(tap1)))
        x = F.max_pool2d(self.im7(tap2), 3, stride=2, padding=1)
        x = F.avg_pool2d(self.im9(self.im8(x)), 7, stride=1)
        return self.fc(x.flatten(1)), self.aux1(tap1), self.aux2(tap2)


class TorchvisionGoogLeNet(nn.Module):
    """torchvision's network, its heads in our order."""

    def __init__(self, classes):
        super().__init__()
        googlenet = torchvision_models().googlenet
        self.net = googlenet(weights=None, num_classes=classes, aux_logits=True, init_weights=False)

    def forward(self, x):
        outputs = self.net(x)
        return outputs.logits, outputs.aux_logits1, outputs.aux_logits2


def torchvision_models():
    """torchvision's models, also where its compiled operators do not load, as beside a PyTorch without CUDA.

    The models need none of these operators; only the declarations of their shapes fail, so these are passed over.
    """
    try:
        import torchvision.models as models

        return models
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    register = torch.library.register_fake

    def register_others(operator, *rest, **named):
        if isinstance(operator, str) and operator.startswith("torchvision::"):
            return lambda function: function
        return register(operator, *rest, **named)

    with mock.patch.object(torch.library, "register_fake", register_others):
        import torchvision.models as models
    return models


def network(model):
    """The network in training mode without dropout, and the module whose state_dict has the trainer's names."""
    net = SeedGoogLeNet(CLASSES) if model == "googlenet-seed" else TorchvisionGoogLeNet(CLASSES)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net.train(), getattr(net, "net", net)


def write_pictures(model, folder):
    """Forty PNG files in ten classes: noise over sixteen coloured fields, so that they differ in more than noise."""
    size = IMAGE_SIZE[model]
    random = np.random.Generator(np.random.PCG64(1))
    for index in range(BATCH * STEPS):
        fields = np.kron(random.integers(0, 256, (4, 4, 3)), np.ones((size // 4, size // 4, 1), dtype=np.int64))
        pixels = np.clip(fields + random.integers(-64, 65, (size, size, 3)), 0, 255).astype(np.uint8)
        path = folder / f"class-{index * CLASSES // (BATCH * STEPS)}" / f"picture-{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def read_pictures(folder):
    """All pictures, float64 NCHW, and their labels, in the dataset's order: byte order of classes, then of paths."""

    def entries(of):
        return sorted(of.iterdir(), key=lambda path: path.name.encode())

    files = [(path, label) for label, one in enumerate(entries(folder)) for path in entries(one)]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB"), dtype=np.float64) for path, _ in files])
    images = torch.from_numpy((pixels / 255 - np.array(MEAN)) / np.array(DEVIATION)).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor([label for _, label in files])


def torch_step(model, dtype, state, momentum, images, labels):
    """One step of PyTorch from a given state: its losses (total, main, auxiliary) and the state_dict after it."""
    net, named = network(model)
    net.to(dtype)
    named.load_state_dict(state)
    optimizer = torch.optim.SGD(net.parameters(), LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for name, parameter in named.named_parameters():
        if momentum is not None:
            optimizer.state[parameter]["momentum_buffer"] = momentum[name].to(dtype)
    heads = [F.cross_entropy(logits, labels) for logits in net(images.to(dtype))]
    loss = heads[0] + AUXILIARY_WEIGHT * (heads[1] + heads[2])
    loss.backward()
    optimizer.step()
    return [value.item() for value in (loss, *heads)], wide(named.state_dict())


def wide(tensors):
    """The same tensors, floating-point ones in float64."""
    return {name: value.double() if value.is_floating_point() else value for name, value in tensors.items()}


def norm(tensors):
    return math.sqrt(sum(value.square().sum().item() for value in tensors))


def differences(losses, after, reference_losses, reference, before):
    """The figures of one step against the reference's, and what each figure but the counts is made of."""
    statistics = {name for name in reference if name.endswith((".running_mean", ".running_var"))}
    counts = {name for name in reference if name.endswith(".num_batches_tracked")}
    parameters = reference.keys() - statistics - counts
    change = norm(reference[name] - before[name] for name in parameters)
    by_parameter = {name: norm([after[name] - reference[name]]) / change for name in parameters}
    by_statistic = {name: norm([after[name] - reference[name]]) / norm([reference[name]]) for name in statistics}
    figures = {
        "losses": max(abs(a - b) / abs(b) for a, b in zip(losses, reference_losses, strict=True)),
        "change": math.sqrt(sum(value**2 for value in by_parameter.values())),
        "statistics": max(by_statistic.values()),
        "counts": all(torch.equal(after[name], reference[name]) for name in counts),
    }
    parts = {
        "losses": dict(zip(("total", "main", "aux1", "aux2"), zip(losses, reference_losses))),
        "change": by_parameter,
        "statistics": by_statistic,
    }
    return figures, parts


def is_within(figures):
    # A figure that is not a number is within no bound.
    return figures["counts"] and all(figures[name] <= bound for name, bound in BOUNDS.items())


def explain(step, figures, parts):
    """Says where the differences of a broken step lie."""
    print(f"step {step} breaks a bound:")
    if not figures["counts"]:
        print("  num_batches_tracked differs")
    for name, bound in BOUNDS.items():
        if figures[name] <= bound:
            continue
        print(f"  {name}: {figures[name]:.2e}, more than {bound:.0e}")
        if name == "losses":
            for head, (ours, theirs) in parts[name].items():
                print(f"    {head:<40} {ours:.9g}, PyTorch {theirs:.9g}")
        else:
            # Largest first, and what is not a number before all.
            for tensor, share in sorted(parts[name].items(), key=lambda item: (item[1] == item[1], -item[1]))[:8]:
                print(f"    {tensor:<40} {share:.2e}")


def compare(model, pictures, run):
    """Prints the table; returns whether every bound holds."""
    images, labels = read_pictures(pictures)
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logged = {line["step"]: line for line in log if line["kind"] == "step"}

    def version(step, kind=""):
        return run / "checkpoints" / f"step-{step:08}{kind}.safetensors"

    print(f"One step of PyTorch {torch.__version__} in float64 from each of our checkpoints; in brackets its float32.")
    columns = ["loss"] + [f"{name} ({bound:.0e})" for name, bound in BOUNDS.items()]
    print(f"{'step':>4}  {columns[0]:>9}  " + "  ".join(f"{column:>22}" for column in columns[1:]) + "  counts")
    all_within = True
    for step in range(1, STEPS + 1):
        state = load_file(version(step - 1))
        # Version 0 has no momentum yet; PyTorch's first step takes the gradient as it is.
        momentum = load_file(version(step - 1, ".optimizer")) if step > 1 else None
        batch = slice(BATCH * (step - 1), BATCH * step)
        reference_losses, reference = torch_step(model, torch.float64, state, momentum, images[batch], labels[batch])
        losses32, after32 = torch_step(model, torch.float32, state, momentum, images[batch], labels[batch])
        line = logged[step]
        losses = [line["loss"], line["main_loss"], *line["aux_losses"]]
        before = wide(state)
        figures, parts = differences(losses, wide(load_file(version(step))), reference_losses, reference, before)
        figures32, _ = differences(losses32, after32, reference_losses, reference, before)
        cells = "  ".join(f"{f'{figures[name]:.2e} ({figures32[name]:.2e})':>22}" for name in BOUNDS)
        print(f"{step:>4}  {losses[0]:>9.6f}  {cells}  {'equal' if figures['counts'] else 'DIFFER'}", flush=True)
        if not is_within(figures):
            all_within = False
            explain(step, figures, parts)
    print(f"{model}: " + ("every bound holds" if all_within else "A BOUND IS BROKEN"))
    return all_within


def main():
    parser = argparse.ArgumentParser(description="Pictures for scripts/compare-steps, and its comparison with PyTorch.")
    commands = parser.add_subparsers(dest="command", required=True)
    pictures = commands.add_parser("pictures", help="writes an image folder of random pictures")
    pictures.add_argument("--output", type=Path, required=True)
    comparison = commands.add_parser("compare", help="compares a run of five steps on them with PyTorch")
    comparison.add_argument("--pictures", type=Path, required=True)
    comparison.add_argument("--run", type=Path, required=True)
    comparison.add_argument("--threads", type=int, default=1)
    for command in (pictures, comparison):
        command.add_argument("--model", choices=IMAGE_SIZE, required=True)
    arguments = parser.parse_args()
    if arguments.command == "pictures":
        write_pictures(arguments.model, arguments.output)
        return
    torch.set_num_threads(arguments.threads)
    if not compare(arguments.model, arguments.pictures, arguments.run):
        sys.exit(1)


if __name__ == "__main__":
    main()
