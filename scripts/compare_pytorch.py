"""The Python part of scripts/compare-pytorch: runs the trainer and PyTorch in turn and compares their figures.

Every figure comes from a process of its own. In a round the trainer runs once and PyTorch once in each of its ways; the
way with the most images a second counts, its memory included. It needs no package: PyTorch is another interpreter's.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

BATCH = {"googlenet": 16, "inception-v3": 8, "googlenet-seed": 32, "googlenet-paper": 16}


class Broken(Exception):
    """A program that was to be measured has failed."""


def report_of(command):
    """The JSON object that a program prints."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Broken(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Comparison:
    """One model and mode, measured in rounds."""

    def __init__(self, options, model, mode):
        self.options, self.model, self.mode = options, model, mode
        self.batch = options.batch or BATCH[model]
        self.rounds = []
        self.ways = [("channels-last",), ("contiguous",)]
        if options.ddp:
            self.ways = [way + ("--ranks", "2") for way in self.ways]

    @property
    def title(self):
        return f"{self.model}, {self.mode}, batch {self.batch}, {self.options.threads} threads" + (
            " against 2 single-threaded DDP ranks" if self.options.ddp else ""
        )

    def arguments(self):
        given = {"model": self.model, "mode": self.mode, "batch": self.batch}
        given |= {"threads": self.options.threads, "steps": self.options.steps}
        return [text for name, value in given.items() for text in (f"--{name}", str(value))]

    def trainer(self):
        return report_of([self.options.trainer, "bench", "engine", *self.arguments(), "--json"])

    def pytorch(self, way):
        script = Path(__file__).with_name("pytorch_step.py")
        return report_of([self.options.python, script, *self.arguments(), "--format", *way])

    def try_compiling(self):
        """Adds torch.compile to PyTorch's ways where it works."""
        for way in list(self.ways):
            try:
                self.pytorch(way + ("--compile",))
            except Broken as problem:
                print(f"  torch.compile, {way[0]}: left out: {str(problem).splitlines()[-1]}", flush=True)
            else:
                self.ways.append(way + ("--compile",))

    def run(self):
        print(f"== {self.title}", flush=True)
        if self.options.compile:
            self.try_compiling()
        for number in range(1, self.options.rounds + 1):
            ours = self.trainer()
            theirs = {" ".join(way).replace("--", ""): self.pytorch(way) for way in self.ways}
            best = max(theirs.values(), key=lambda report: report["images_per_second"])
            result = {
                "trainer": {name: value for name, value in ours.items() if name not in ("layers", "totals")},
                "pytorch": theirs,
                "speed": ours["images_per_second"] / best["images_per_second"],
                "memory": ours["peak_rss_mib"] / best["peak_rss_mib"],
            }
            self.rounds.append(result)
            figures = ", ".join(f"{way} {report['images_per_second']:.2f}" for way, report in theirs.items())
            print(
                f"  round {number}: trainer {ours['images_per_second']:.2f} images/s, PyTorch {figures}: "
                f"ratio {result['speed']:.2f}; peak {ours['peak_rss_mib']:.0f} to {best['peak_rss_mib']:.0f} MiB: "
                f"ratio {result['memory']:.2f}",
                flush=True,
            )

    def medians(self):
        best = [max(report["images_per_second"] for report in each["pytorch"].values()) for each in self.rounds]
        return {
            "model": self.model,
            "mode": self.mode,
            "batch": self.batch,
            "ddp": self.options.ddp,
            "trainer_images_per_second": median(each["trainer"]["images_per_second"] for each in self.rounds),
            "pytorch_images_per_second": median(best),
            "speed": median(each["speed"] for each in self.rounds),
            "smallest_speed": min(each["speed"] for each in self.rounds),
            "memory": median(each["memory"] for each in self.rounds),
        }


def print_table(rows):
    names = ("model", "mode", "batch", "trainer", "PyTorch", "ratio", "least", "memory")
    print("\nMedians over the rounds: images/s, trainer to PyTorch (its best way in each round), and peak memory likewise")
    print(f"{names[0]:<16}{names[1]:<10}" + "".join(f"{name:>9}" for name in names[2:]))
    for row in rows:
        print(
            f"{row['model']:<16}{row['mode']:<10}{row['batch']:>9}{row['trainer_images_per_second']:>9.2f}"
            f"{row['pytorch_images_per_second']:>9.2f}{row['speed']:>9.2f}{row['smallest_speed']:>9.2f}{row['memory']:>9.2f}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--model", nargs="+", required=True)
    parser.add_argument("--mode", nargs="+", required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--ddp", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    catalog = {model["name"] for model in report_of([options.trainer, "models", "--json"])["models"]}
    comparisons = []
    for model in options.model:
        if model not in catalog:
            print(f"== {model}: the trainer's catalog does not have it")
            continue
        comparisons += [Comparison(options, model, mode) for mode in options.mode]
    for comparison in comparisons:
        comparison.run()
    if not comparisons:
        raise Broken("nothing was compared")
    print_table([comparison.medians() for comparison in comparisons])
    if options.json:
        results = [{"medians": each.medians(), "rounds": each.rounds} for each in comparisons]
        options.json.write_text(json.dumps({"comparisons": results}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except Broken as problem:
        print(f"compare-pytorch: {problem}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
