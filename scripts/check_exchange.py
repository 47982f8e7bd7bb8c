"""The Python part of scripts/check-exchange: sends one model's weights both ways and compares what the networks make of them.

PyTorch saves a network with random weights in both of its layouts. Four pictures then go through

  trainer predict        from either file; its probabilities give the logits up to a constant
  PyTorch                from the file that trainer convert wrote, loaded with strict=True; its tensors must be the same bits
  ONNX Runtime           from the networks that trainer convert wrote: plain, with folded batch norms, with transform_input,
                         for smaller images, four pictures at once and one at a time

and all logits are compared with those of PyTorch in float64: the largest difference to their root mean square.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import torch
import torch.nn as nn
from safetensors import safe_open
from safetensors.torch import load_file

from comparison_data import CLASSES, picture_files, read_pictures, write_pictures
from pytorch_networks import DEFAULTS, TorchvisionNetwork, network

PICTURES = 4
BOUND = 1e-4


class Exchange:
    """One model's files and what they are compared with."""

    def __init__(self, model, folder, trainer, threads):
        self.model, self.folder, self.program, self.threads = model, folder, trainer, threads
        self.broken = False
        folder.mkdir(parents=True, exist_ok=True)
        write_pictures(folder / "pictures", PICTURES, DEFAULTS[model].image_size)
        self.pictures = [path for path, _ in picture_files(folder / "pictures")]
        self.images, _ = read_pictures(folder / "pictures")
        self.state = random_state(model)

    def path(self, name):
        return self.folder / name

    def trainer(self, *arguments):
        """Runs the trainer and gives what it prints."""
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"trainer {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def predicted(self, file):
        """Log-probabilities of all classes for each picture, and what was printed."""
        options = ("--top", CLASSES, "--json", "--threads", self.threads)
        text = self.trainer("predict", "--checkpoint", self.path(file), *options, *self.pictures)
        rows = []
        for image in json.loads(text)["images"]:
            of_class = {int(each["name"]): each["probability"] for each in image["classes"]}
            rows.append([of_class[index] for index in range(CLASSES)])
        return torch.tensor(rows, dtype=torch.float64).log(), text

    def logits(self, size=None, transform_input=False):
        """PyTorch's, in float64."""
        net, named = network(self.model, CLASSES)
        named.load_state_dict(self.state, strict=True)
        named.transform_input = transform_input
        net.double().eval()
        with torch.no_grad():
            return net(self.images[:, :, :size, :size])[0]

    def onnx_logits(self, file, batch, size=None):
        """ONNX Runtime's, so many pictures at a time."""
        onnx.checker.check_model(str(self.path(file)), full_check=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(self.path(file), options, providers=["CPUExecutionProvider"])
        images = self.images[:, :, :size, :size].float().numpy()
        parts = [session.run(None, {"input": images[start : start + batch]})[0] for start in range(0, PICTURES, batch)]
        return torch.cat([torch.from_numpy(part) for part in parts]).double()

    def say(self, what, is_right, figure=""):
        print(f"  {what:<68} {figure:>9}  {'' if is_right else 'BROKEN'}".rstrip(), flush=True)
        self.broken |= not is_right

    def compare(self, what, found, expected, up_to_a_constant=False):
        if up_to_a_constant:
            found, expected = (each - each.mean(dim=1, keepdim=True) for each in (found, expected))
        share = ((found - expected).abs().max() / expected.square().mean().sqrt()).item()
        # A figure that is not a number is within no bound.
        self.say(what, share <= BOUND, f"{share:.1e}")

    def run(self):
        torch.save(self.state, self.path("zip.pth"))
        torch.save(self.state, self.path("legacy.pth"), _use_new_zipfile_serialization=False)
        expected = self.logits()

        ours, text = self.predicted("zip.pth")
        self.compare("predict, from the ZIP layout", ours, expected, up_to_a_constant=True)
        self.say("predict, from the legacy layout: the same text", self.predicted("legacy.pth")[1] == text)

        self.trainer("convert", self.path("zip.pth"), self.path("weights.safetensors"))
        self.check_state_dict("weights.safetensors", heads=True)
        self.say("predict, from it: the same text", self.predicted("weights.safetensors")[1] == text)
        self.trainer("convert", self.path("legacy.pth"), self.path("main.safetensors"), "--without-auxiliary")
        self.check_state_dict("main.safetensors", heads=False)

        self.trainer("convert", self.path("zip.pth"), self.path("plain.onnx"))
        self.trainer("convert", self.path("weights.safetensors"), self.path("folded.onnx"), "--fold-batch-norm")
        for file in ("plain.onnx", "folded.onnx"):
            for batch in (PICTURES, 1):
                found = self.onnx_logits(file, batch)
                self.compare(f"ONNX Runtime, {file}, {batch} at a time", found, expected)
        self.compare("ONNX Runtime, plain.onnx, and predict", self.onnx_logits("plain.onnx", 1), ours, True)
        kinds = {node.op_type for node in onnx.load(self.path("folded.onnx")).graph.node}
        self.say("folded.onnx has no batch norm", "BatchNormalization" not in kinds)

        # The classifier of googlenet-seed sees every pixel of the last stage; the others average them. Odd sizes leave windows
        # that are not full, or full ones where the usual size has none.
        for size in () if self.model == "googlenet-seed" else (DEFAULTS[self.model].image_size - odd for odd in (13, 33)):
            self.trainer("convert", self.path("zip.pth"), self.path("small.onnx"), "--image-size", size)
            found = self.onnx_logits("small.onnx", PICTURES, size)
            self.compare(f"ONNX Runtime, images of {size}x{size}", found, self.logits(size))

        # Networks that are not torchvision's know no transform_input in PyTorch.
        if self.model in TorchvisionNetwork.HEADS:
            transformed = self.logits(transform_input=True)
            for file in ("transformed.safetensors", "transformed.onnx"):
                self.trainer("convert", self.path("legacy.pth"), self.path(file), "--transform-input")
            ours = self.predicted("transformed.safetensors")[0]
            self.compare("predict, with transform_input", ours, transformed, up_to_a_constant=True)
            found = self.onnx_logits("transformed.onnx", PICTURES)
            self.compare("ONNX Runtime, with transform_input", found, transformed)
        return not self.broken

    def check_state_dict(self, file, heads):
        with safe_open(self.path(file), "pt") as opened:
            is_marked = opened.metadata().get("format") == "pt"
        loaded = load_file(self.path(file))
        net, named = network(self.model, CLASSES, heads=heads)
        named.load_state_dict(loaded, strict=True)
        same = all(torch.equal(value, self.state[name]) for name, value in named.state_dict().items())
        is_whole = loaded.keys() == net.state_dict().keys() or loaded.keys() == named.state_dict().keys()
        self.say(f"load_state_dict(strict=True) of {file}: the same bits", same and is_whole and is_marked)


def random_state(model):
    """Weights of the size at which signals keep theirs, and batch norms that are all different."""
    generator = torch.Generator().manual_seed(1)

    def fill(tensor, deviation, mean=0.0):
        tensor.copy_(mean + deviation * torch.randn(tensor.shape, generator=generator))

    net, named = network(model, CLASSES)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                fill(module.weight, 0.1, mean=1.0)
                fill(module.running_mean, 0.1)
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
                module.num_batches_tracked.fill_(3)
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                fill(module.weight, (2 / module.weight[0].numel()) ** 0.5)
            if getattr(module, "bias", None) is not None:
                fill(module.bias, 0.1)
    return named.state_dict()


def main():
    parser = argparse.ArgumentParser(description="Exchanges a model's weights with PyTorch and ONNX Runtime.")
    parser.add_argument("--model", choices=DEFAULTS, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    is_right = Exchange(arguments.model, arguments.folder, arguments.trainer, arguments.threads).run()
    print(f"{arguments.model}: " + (f"everything is within {BOUND:.0e}" if is_right else "SOMETHING IS BROKEN"))
    if not is_right:
        sys.exit(1)


if __name__ == "__main__":
    main()
