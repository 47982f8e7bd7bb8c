"""Measures one configuration of PyTorch for scripts/compare-pytorch, in a process of its own; prints one JSON object.

A step of training is forward with auxiliary heads and dropout, loss, backward, and SGD with momentum and weight decay; a
step of evaluation is forward and loss in inference mode; on noise, with 1000 classes. Two warm-up steps are not counted.
With --ranks R it is DistributedDataParallel over Gloo: R processes, each with its share of the batch and of the threads.
"""

import argparse
import json
import os
import socket
import time

import torch
import torch.distributed
import torch.multiprocessing
import torch.nn as nn
import torch.nn.functional as F

from pytorch_networks import DEFAULTS, losses, network

CLASSES, WARM_UP_STEPS = 1000, 2


def step_of(options, net, images, labels):
    """A function that does one step."""
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    forward = torch.compile(net) if options.compile else net

    def train():
        optimizer.zero_grad(set_to_none=True)
        losses(options.model, forward(images), labels)[0].backward()
        optimizer.step()

    @torch.inference_mode()
    def evaluate():
        (logits,) = forward(images)
        F.cross_entropy(logits, labels)

    return train if options.mode == "train" else evaluate


def measure(options, batch, threads, wrap=lambda net: net, barrier=lambda: None):
    """Seconds of each step that counts, with a batch and threads of one process."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layout = torch.channels_last if options.format == "channels-last" else torch.contiguous_format
    training = options.mode == "train"
    net, _ = network(options.model, CLASSES, heads=training)
    net = wrap(net.train(training).to(memory_format=layout))
    size = DEFAULTS[options.model].image_size
    images = torch.randn(batch, 3, size, size).to(memory_format=layout)
    step = step_of(options, net, images, torch.randint(0, CLASSES, (batch,)))
    seconds = []
    for _ in range(WARM_UP_STEPS + options.steps):
        barrier()
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return seconds[WARM_UP_STEPS:]


def peak_resident_mebibytes():
    """Of this process since it became this program; getrusage would count what it was before."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def run_rank(rank, options, port, results):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed = torch.distributed
    distributed.init_process_group("gloo", rank=rank, world_size=options.ranks)
    seconds = measure(
        options,
        options.batch // options.ranks,
        max(1, options.threads // options.ranks),
        wrap=nn.parallel.DistributedDataParallel,
        barrier=distributed.barrier,
    )
    results.put((rank, seconds, peak_resident_mebibytes()))
    distributed.destroy_process_group()


def measure_ranks(options):
    """Seconds of each step of rank 0, and the memory of all ranks together."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(run_rank, (options, port, results), nprocs=options.ranks)
    ranks = sorted(results.get() for _ in range(options.ranks))
    return ranks[0][1], sum(memory for _, _, memory in ranks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=DEFAULTS, required=True)
    parser.add_argument("--mode", choices=["train", "evaluate"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--format", choices=["channels-last", "contiguous"], required=True)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--ranks", type=int, default=1)
    options = parser.parse_args()
    if options.ranks > 1:
        seconds, memory = measure_ranks(options)
    else:
        seconds = measure(options, options.batch, options.threads)
        memory = peak_resident_mebibytes()
    report = {
        "pytorch": torch.__version__,
        **vars(options),
        # The middle step, or the slower of the two in the middle: as `trainer bench engine` has it.
        "images_per_second": options.batch / sorted(seconds)[len(seconds) // 2],
        "best_images_per_second": options.batch / min(seconds),
        "peak_rss_mib": memory,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
