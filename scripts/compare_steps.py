"""The Python part of scripts/compare-steps: writes the pictures, and compares a run of five steps on them with PyTorch.

For t = 0 … 4 PyTorch, in float64, loads the trainer's parameters, running statistics and momentum after step t, takes
step t + 1 on the same pictures, and is compared with the trainer's step t + 1:

  losses      the largest relative difference of the total, the main and the auxiliary losses
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

import torch
from safetensors.torch import load_file

from comparison_data import BATCH, CLASSES, largest, norm, read_pictures, wide, write_pictures
from pytorch_networks import DEFAULTS, losses, network

STEPS = 5
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 1e-4
BOUNDS = {"losses": 5e-6, "change": 3e-2, "statistics": 2e-5}
# Rounding is amplified by 94 layers and by a head whose last batch norm sees 8 values a channel.
INCEPTION_BOUNDS = {"losses": 5e-5, "change": 1e-1, "statistics": 2e-5}


def bounds(model):
    return INCEPTION_BOUNDS if model == "inception-v3" else BOUNDS


def torch_step(model, dtype, state, momentum, images, labels):
    """One step of PyTorch from a given state: its losses (total, main, auxiliary) and the state_dict after it."""
    net, named = network(model, CLASSES, dropout=False)
    net.train().to(dtype)
    named.load_state_dict(state)
    optimizer = torch.optim.SGD(net.parameters(), LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for name, parameter in named.named_parameters():
        if momentum is not None:
            optimizer.state[parameter]["momentum_buffer"] = momentum[name].to(dtype)
    values = losses(model, net(images.to(dtype)), labels)
    values[0].backward()
    optimizer.step()
    return [value.item() for value in values], wide(named.state_dict())


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
        "statistics": max(by_statistic.values(), default=0.0),
        "counts": all(torch.equal(after[name], reference[name]) for name in counts),
    }
    names = ("total", "main", "aux1", "aux2")
    parts = {
        "losses": dict(zip(names, zip(losses, reference_losses))),
        "change": by_parameter,
        "statistics": by_statistic,
    }
    return figures, parts


def is_within(model, figures):
    # A figure that is not a number is within no bound.
    return figures["counts"] and all(figures[name] <= bound for name, bound in bounds(model).items())


def explain(model, step, figures, parts):
    """Says where the differences of a broken step lie."""
    print(f"step {step} breaks a bound:")
    if not figures["counts"]:
        print("  num_batches_tracked differs")
    for name, bound in bounds(model).items():
        if figures[name] <= bound:
            continue
        print(f"  {name}: {figures[name]:.2e}, more than {bound:.0e}")
        if name == "losses":
            for head, (ours, theirs) in parts[name].items():
                print(f"    {head:<40} {ours:.9g}, PyTorch {theirs:.9g}")
        else:
            for tensor, share in largest(parts[name]):
                print(f"    {tensor:<40} {share:.2e}")


def compare(model, pictures, run):
    """Prints the table; returns whether every bound holds."""
    images, labels = read_pictures(pictures)
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logged = {line["step"]: line for line in log if line["kind"] == "step"}

    def version(step, kind=""):
        return run / "checkpoints" / f"step-{step:08}{kind}.safetensors"

    print(f"One step of PyTorch {torch.__version__} in float64 from each of our checkpoints; in brackets its float32.")
    columns = [f"{name} ({bound:.0e})" for name, bound in bounds(model).items()]
    print(f"{'step':>4}  {'loss':>9}  " + "  ".join(f"{column:>22}" for column in columns) + "  counts")
    all_within = True
    for step in range(1, STEPS + 1):
        state = load_file(version(step - 1))
        # Version 0 has no momentum yet; PyTorch's first step takes the gradient as it is.
        momentum = load_file(version(step - 1, ".optimizer")) if step > 1 else None
        batch = slice(BATCH * (step - 1), BATCH * step)
        reference_losses, reference = torch_step(model, torch.float64, state, momentum, images[batch], labels[batch])
        losses32, after32 = torch_step(model, torch.float32, state, momentum, images[batch], labels[batch])
        line = logged[step]
        ours = [line["loss"], line["main_loss"], *line["aux_losses"]]
        before = wide(state)
        figures, parts = differences(ours, wide(load_file(version(step))), reference_losses, reference, before)
        figures32, _ = differences(losses32, after32, reference_losses, reference, before)
        cells = "  ".join(f"{f'{figures[name]:.2e} ({figures32[name]:.2e})':>22}" for name in bounds(model))
        print(f"{step:>4}  {ours[0]:>9.6f}  {cells}  {'equal' if figures['counts'] else 'DIFFER'}", flush=True)
        if not is_within(model, figures):
            all_within = False
            explain(model, step, figures, parts)
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
        command.add_argument("--model", choices=DEFAULTS, required=True)
    arguments = parser.parse_args()
    if arguments.command == "pictures":
        write_pictures(arguments.output, BATCH * STEPS, DEFAULTS[arguments.model].image_size)
        return
    torch.set_num_threads(arguments.threads)
    if not compare(arguments.model, arguments.pictures, arguments.run):
        sys.exit(1)


if __name__ == "__main__":
    main()
