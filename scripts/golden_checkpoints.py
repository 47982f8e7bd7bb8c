"""Writes the small files of torch.save that the tests of Interchange read: Tests/InterchangeTests/Golden.

Every tensor's elements are 0, 1, 2, … / 8 - 1, in the order of its indices, so that the tests know them. Some files are not
state_dicts; two would run a command or open a file if they were unpickled. Needs PyTorch and nothing else:

    python scripts/golden_checkpoints.py --output Tests/InterchangeTests/Golden
"""

import argparse
import collections
import os
import pickle
from pathlib import Path

import torch
import torch.nn as nn


def counted(*shape, dtype=torch.float32):
    values = torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)
    return (values / 8 - 1 if dtype.is_floating_point else values).to(dtype)


def network():
    """A convolution and its batch norm, as in torchvision's networks."""
    unit = nn.Module()
    unit.conv, unit.bn = nn.Conv2d(2, 3, (1, 2), bias=False), nn.BatchNorm2d(3)
    for tensor in unit.state_dict().values():
        tensor.copy_(counted(*tensor.shape, dtype=tensor.dtype))
    unit.bn.num_batches_tracked.fill_(7)
    return unit


def views():
    """Tensors that are not the whole of their storages row by row, and other elements."""
    base = counted(24)
    state = collections.OrderedDict()
    state["channels_last"] = counted(1, 2, 2, 3).contiguous(memory_format=torch.channels_last)
    state["transposed"] = counted(3, 2).t().contiguous().t()
    state["whole"], state["tied"] = base, base
    state["part"] = base[8:14].reshape(2, 3)
    state["column"] = base.reshape(6, 4)[:, 1]
    state["scalar"], state["empty"] = counted(), counted(0, 3)
    state["parameter"] = nn.Parameter(counted(2, 2))
    for dtype in ("float16", "bfloat16", "float64", "int64", "int32", "uint8", "int16", "int8"):
        state[dtype] = counted(5, dtype=getattr(torch, dtype))
    state["bool"] = torch.tensor([True, False])
    return state


class Command:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


class Expression:
    """Evaluates an expression when it is unpickled."""

    def __reduce__(self):
        return eval, ("open('ran', 'w')",)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)

    def save(name, value, **options):
        torch.save(value, folder / name, **options)

    unit = network()
    state = unit.state_dict()
    legacy = {"_use_new_zipfile_serialization": False}
    save("unit.pth", state)
    save("unit-legacy.pth", state, **legacy)
    save("unit-protocol4.pth", state, pickle_protocol=4)
    save("views.pth", views())
    save("views-legacy.pth", views(), **legacy)
    wrapped = collections.OrderedDict(("module._orig_mod." + name, value) for name, value in state.items())
    save("wrapped.pth", {"net": wrapped, "acc": 93.5, "epoch": 200, "note": None, "ema": dict(wrapped)})
    save("ema.pth", {"model_ema": {"n_averaged": torch.tensor(5), **{f"module.{k}": v for k, v in state.items()}}})
    save("module.pth", unit)
    save("module-legacy.pth", nn.Identity(), **legacy)
    save("command.pth", {"state_dict": state, "extra": Command()})
    save("command-legacy.pth", {"state_dict": state, "extra": Expression()}, **legacy)
    (folder / "bare.pth").write_bytes(pickle.dumps({"conv.weight": [1.0]}, protocol=2))
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), folder / "script.pth")


if __name__ == "__main__":
    main()
