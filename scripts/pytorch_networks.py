"""The four networks in PyTorch, with the trainer's names and defaults, for the scripts that compare the trainer with it.

googlenet and inception-v3 are torchvision's own; the other two are written here. Each gives the main head's logits first,
then those of the auxiliary heads, which exist and run in training only.
"""

import sys
from dataclasses import dataclass
from unittest import mock

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass(frozen=True)
class Defaults:
    """What the trainer takes for a model where nothing else is asked for."""

    image_size: int
    auxiliary_weight: float = 0.3
    label_smoothing: float = 0.0


DEFAULTS = {
    "googlenet-seed": Defaults(32),
    "googlenet": Defaults(224),
    "googlenet-paper": Defaults(224),
    "inception-v3": Defaults(299, auxiliary_weight=0.4, label_smoothing=0.1),
}

# 1x1; 3x3 reduction, 3x3; 5x5 reduction, 5x5; after the pool: output channels of each module of GoogLeNet.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def outputs(widths):
    """Output channels of a module."""
    one, _, three, _, five, pool = widths
    return one + three + five + pool


class Head(nn.Module):
    """An auxiliary classifier of GoogLeNet behind a convolution to 4x4 values."""

    def __init__(self, convolution, classes):
        super().__init__()
        self.conv = convolution
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.conv(F.avg_pool2d(x, 5, stride=3))
        return self.fc2(self.dropout(F.relu(self.fc1(x.flatten(1)))))


def normalized_unit(inputs, outputs, kernel):
    """A convolution that keeps the size, batch norm and ReLU, to be laid end to end in a Sequential."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()


class SeedModule(nn.Module):
    """A module with two 3x3 convolutions for the 5x5."""

    def __init__(self, inputs, widths):
        super().__init__()
        one, reduce3, three, reduce5, five, pool = widths
        unit = normalized_unit
        self.block1 = nn.Sequential(*unit(inputs, one, 1))
        self.block2 = nn.Sequential(*unit(inputs, reduce3, 1), *unit(reduce3, three, 3))
        self.block3 = nn.Sequential(*unit(inputs, reduce5, 1), *unit(reduce5, five, 3), *unit(five, five, 3))
        self.block4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *unit(inputs, pool, 1))

    def forward(self, x):
        return torch.cat([self.block1(x), self.block2(x), self.block3(x), self.block4(x)], dim=1)


class SeedGoogLeNet(nn.Module):
    """The network for 32x32 images, with auxiliary heads after 4a and 4d."""

    def __init__(self, classes, heads=True):
        super().__init__()
        self.stem = nn.Sequential(*normalized_unit(3, 192, 3))
        inputs = 192
        for number, widths in enumerate(MODULES.values(), start=1):
            self.add_module(f"im{number}", SeedModule(inputs, widths))
            inputs = outputs(widths)
        self.fc = nn.Linear(inputs * 2 * 2, classes)
        for name, module in (("aux1", "4a"), ("aux2", "4d")) if heads else ():
            convolution = nn.Sequential(*normalized_unit(outputs(MODULES[module]), 128, 1))
            self.add_module(name, Head(convolution, classes))

    def forward(self, x):
        x = self.im2(self.im1(self.stem(x)))
        tap1 = self.im3(F.max_pool2d(x, 3, stride=2, padding=1))
        tap2 = self.im6(self.im5(self.im4(tap1)))
        x = F.max_pool2d(self.im7(tap2), 3, stride=2, padding=1)
        x = F.avg_pool2d(self.im9(self.im8(x)), 7, stride=1)
        logits = self.fc(x.flatten(1))
        return (logits, self.aux1(tap1), self.aux2(tap2)) if self.training else (logits,)


class Unit(nn.Module):
    """A convolution and a ReLU."""

    def __init__(self, inputs, outputs, kernel, **options):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, **options)

    def forward(self, x):
        return F.relu(self.conv(x))


class PaperModule(nn.Module):
    """A module as in the paper, with a real 5x5."""

    def __init__(self, inputs, widths):
        super().__init__()
        one, reduce3, three, reduce5, five, pool = widths
        self.branch1 = Unit(inputs, one, 1)
        self.branch2 = nn.Sequential(Unit(inputs, reduce3, 1), Unit(reduce3, three, 3, padding=1))
        self.branch3 = nn.Sequential(Unit(inputs, reduce5, 1), Unit(reduce5, five, 5, padding=2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True), Unit(inputs, pool, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class PaperGoogLeNet(nn.Module):
    """The network of 2014: response norms, no batch norm."""

    def __init__(self, classes, heads=True):
        super().__init__()
        self.conv1 = Unit(3, 64, 7, stride=2, padding=3)
        self.conv2 = Unit(64, 64, 1)
        self.conv3 = Unit(64, 192, 3, padding=1)
        inputs = 192
        for name, widths in MODULES.items():
            self.add_module(f"inception{name}", PaperModule(inputs, widths))
            inputs = outputs(widths)
        for name, module in (("aux1", "4a"), ("aux2", "4d")) if heads else ():
            self.add_module(name, Head(Unit(outputs(MODULES[module]), 128, 1), classes))
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        def normalized(x):
            return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

        def halved(x):
            return F.max_pool2d(x, 3, stride=2, ceil_mode=True)

        x = normalized(halved(self.conv1(x)))
        x = halved(normalized(self.conv3(self.conv2(x))))
        tap1 = self.inception4a(halved(self.inception3b(self.inception3a(x))))
        tap2 = self.inception4d(self.inception4c(self.inception4b(tap1)))
        x = self.inception5b(self.inception5a(halved(self.inception4e(tap2))))
        logits = self.fc(self.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1)))
        return (logits, self.aux1(tap1), self.aux2(tap2)) if self.training else (logits,)


class TorchvisionNetwork(nn.Module):
    """torchvision's own network, its heads in the trainer's order."""

    HEADS = {"googlenet": ("aux_logits1", "aux_logits2"), "inception-v3": ("aux_logits",)}

    def __init__(self, model, classes, heads=True):
        super().__init__()
        self.heads = self.HEADS[model]
        build = getattr(torchvision_models(), model.replace("-", "_"))
        self.net = build(weights=None, num_classes=classes, aux_logits=heads, init_weights=False)

    def forward(self, x):
        result = self.net(x)
        if not self.training:
            return (result,)
        return result.logits, *(getattr(result, head) for head in self.heads)


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


def network(model, classes, heads=True, dropout=True):
    """A network, and the module whose state_dict has the trainer's names."""
    own = {"googlenet-seed": SeedGoogLeNet, "googlenet-paper": PaperGoogLeNet}.get(model)
    net = own(classes, heads) if own else TorchvisionNetwork(model, classes, heads)
    for module in net.modules():
        if isinstance(module, nn.Dropout) and not dropout:
            module.p = 0.0
    return net, getattr(net, "net", net)


def losses(model, logits, labels):
    """The loss as the trainer takes it by default, then those of the heads that it is made of."""
    defaults = DEFAULTS[model]
    main, *others = [F.cross_entropy(each, labels, label_smoothing=defaults.label_smoothing) for each in logits]
    return main + defaults.auxiliary_weight * sum(others), main, *others
