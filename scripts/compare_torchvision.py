"""The Python part of scripts/compare-torchvision: random weights for torchvision's networks, and what they make of pictures.

The trainer begins a run with weights that were made here, takes one step on eight pictures, and predicts the classes of
these and eight others. Its predictions give the logits of the evaluation network up to a constant; its log the losses; and
its momentum after the first step, without weight decay, is the gradient. torchvision does the same in float64, and in
float32 for comparison:

  outputs     the largest difference of a log-probability, to the logits' root mean square about their mean
  losses      the largest relative difference of the total, the main and the auxiliary losses
  gradient    |ours - torchvision's| / |torchvision's|, the L2 norm over all parameters
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from comparison_data import BATCH, CLASSES, largest, norm, picture_files, read_pictures, wide, write_pictures
from pytorch_networks import DEFAULTS, TorchvisionNetwork, losses, network, torchvision_models

MODELS = list(TorchvisionNetwork.HEADS)
BOUNDS = {
    "googlenet": {"outputs": 1e-4, "losses": 5e-6, "gradient": 3e-2},
    # Rounding is amplified by 94 layers and by a head whose last batch norm sees 8 values a channel.
    "inception-v3": {"outputs": 1e-4, "losses": 5e-5, "gradient": 1e-1},
}


def random_state(model):
    """Weights of the size at which signals keep theirs, and batch norms that are all different."""
    generator = torch.Generator().manual_seed(1)

    def normal(shape, deviation):
        return deviation * torch.randn(shape, generator=generator)

    state = {}
    for name, value in network(model, CLASSES)[1].state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(3)
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(value.shape, generator=generator)
        elif ".bn." in name and name.endswith("weight"):
            state[name] = 1 + normal(value.shape, 0.1)
        elif value.dim() > 1:
            state[name] = normal(value.shape, (2 / value[0].numel()) ** 0.5)
        else:
            state[name] = normal(value.shape, 0.1)
    return state


def prepare(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    write_pictures(folder / "pictures", 2 * BATCH, DEFAULTS[model].image_size)
    save_file(random_state(model), folder / "weights.safetensors")


def torchvision_results(model, dtype, state, images, labels):
    """Logits of all pictures in evaluation, losses and gradients of the first eight in training."""
    net, named = network(model, CLASSES, dropout=False)
    named.load_state_dict(state)
    net.to(dtype).eval()
    with torch.no_grad():
        (logits,) = net(images.to(dtype))
    net.train()
    values = losses(model, net(images[:BATCH].to(dtype)), labels[:BATCH])
    values[0].backward()
    gradients = wide({name: parameter.grad for name, parameter in named.named_parameters()})
    return logits.double(), [value.item() for value in values], gradients


def predicted(folder, files):
    """The trainer's log-probabilities, its classes in the order of the names."""
    images = json.loads((folder / "predictions.json").read_text())["images"]
    rows = []
    for (path, _), image in zip(files, images, strict=True):
        assert Path(image["file"]).name == path.name
        classes = sorted(image["classes"], key=lambda one: one["name"])
        rows.append([one["probability"] for one in classes])
    return torch.tensor(rows, dtype=torch.float64).log()


def differences(ours, reference):
    """The figures, and the shares of each parameter in the gradient's."""
    (outputs, losses, gradients), (logits, reference_losses, reference_gradients) = ours, reference
    size = (logits - logits.mean(dim=1, keepdim=True)).square().mean().sqrt()
    length = norm(reference_gradients.values())
    shares = {name: norm([gradients[name] - value]) / length for name, value in reference_gradients.items()}
    figures = {
        "outputs": ((outputs - logits.log_softmax(dim=1)).abs().max() / size).item(),
        "losses": max(abs(a - b) / abs(b) for a, b in zip(losses, reference_losses, strict=True)),
        "gradient": sum(share**2 for share in shares.values()) ** 0.5,
    }
    return figures, shares


def compare(model, folder):
    """Prints the figures; returns whether every bound holds."""
    state = load_file(folder / "weights.safetensors")
    images, labels = read_pictures(folder / "pictures")
    log = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    step = next(line for line in log if line["kind"] == "step")
    momentum = wide(load_file(folder / "run" / "checkpoints" / "step-00000001.optimizer.safetensors"))
    outputs = predicted(folder, picture_files(folder / "pictures"))
    ours = outputs, [step["loss"], step["main_loss"], *step["aux_losses"]], momentum
    reference = torchvision_results(model, torch.float64, state, images, labels)
    logits32, losses32, gradients32 = torchvision_results(model, torch.float32, state, images, labels)
    figures, shares = differences(ours, reference)
    figures32, _ = differences((logits32.log_softmax(dim=1), losses32, gradients32), reference)
    within = True
    for name, bound in BOUNDS[model].items():
        # A figure that is not a number is within no bound.
        holds = figures[name] <= bound
        within = within and holds
        print(f"{name:<10}{figures[name]:>10.2e}   torchvision's float32 {figures32[name]:.2e}, at most {bound:.0e}")
        if not holds and name == "losses":
            print(f"  trainer {ours[1]}\n  torchvision {reference[1]}")
        if not holds and name == "gradient":
            for tensor, share in largest(shares):
                print(f"    {tensor:<40} {share:.2e}")
    print(f"{model}: " + ("every bound holds" if within else "A BOUND IS BROKEN"))
    return within


def main():
    parser = argparse.ArgumentParser(description="Weights and pictures for scripts/compare-torchvision, and its comparison.")
    parser.add_argument("command", choices=["prepare", "compare"])
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torchvision_models()
    torch.set_num_threads(arguments.threads)
    if arguments.command == "prepare":
        prepare(arguments.model, arguments.folder)
    elif not compare(arguments.model, arguments.folder):
        sys.exit(1)


if __name__ == "__main__":
    main()
