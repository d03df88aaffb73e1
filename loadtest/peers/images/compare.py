#!/usr/bin/env python3
"""Measures the image pipeline beside sharp, on the same files, with the same sizes and qualities, in one run.

    loadtest/peers/images/compare.py FILE…              images per second, CPU, memory, bytes and SSIMULACRA2
    loadtest/peers/images/compare.py --rounds 5 FILE…   more rounds than three (--json FILE: the figures)

Needs a Rust toolchain, Node.js 20 and npm; builds ours and fetches sharp when they are missing. Every round runs every side once, in another order, each in a process of its
own that has read its files before it is timed; ratios are within a round, and their medians are told.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))
from reporting import result  # noqa: E402

SIDES = ["reference", "tuned", "ours"]
# The platform's process does without huge pages (nodes/src/main.rs). Of the sides only ours knows the word.
AS_THE_PLATFORM = {"MIMALLOC_ALLOW_THP": "0"}


def build():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "ours" / "target"))
    subprocess.run(["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "ours" / "Cargo.toml"], check=True)
    if not (HERE / "sharp" / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=HERE / "sharp", check=True)
    return target / "release" / "lets-connect-peer-images"


def run(ours, side, stages, workers, out, files):
    if side == "ours":
        command = [ours, "make", stages, str(workers), out, *files]
    else:
        command = ["node", HERE / "sharp" / "variants.js", side, stages, str(workers), out, *files]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | AS_THE_PLATFORM).stdout)


def total(figures):
    return sum(sum(by_file.values()) for by_file in figures["bytes"].values())


def rounds_of(ours, stages, workers, files, rounds):
    figures = {side: [] for side in SIDES}
    for number in range(rounds):
        for side in SIDES[number % 3 :] + SIDES[: number % 3]:
            figures[side].append(run(ours, side, stages, workers, "-", files))
    return figures


def told(figures, count):
    """Prints what each side took, and gives it as rows."""
    rows = []
    for side in SIDES:
        mine = figures[side]
        per_second = statistics.median(count / one["seconds"] for one in mine)
        cpu = statistics.median(one["cpu_seconds"] / count for one in mine)
        peak = max(one["peak_kib"] for one in mine) / 1024
        print(f"  {side:10} {per_second:6.2f} images/s, {cpu:.3f} CPU s/image, {peak:4.0f} MiB at most, {total(mine[0]) / 1e6:.3f} MB made", end="")
        times = {}
        for other in SIDES[:2]:
            ratios = [[theirs[what] / one[what] for one, theirs in zip(mine, figures[other])] for what in ("seconds", "cpu_seconds")]
            print(f", {statistics.median(ratios[0]):.2f} x {other} ({statistics.median(ratios[1]):.2f} by CPU)", end="")
            times[other] = {"clock": result.spread(ratios[0]), "cpu": result.spread(ratios[1])}
        print(flush=True)
        figured = {"imagesPerS": result.spread([count / one["seconds"] for one in mine]), "cpuS": result.spread([one["cpu_seconds"] / count for one in mine])}
        rows.append({"by": side, **figured, "peakBytes": peak * (1 << 20), "bytes": total(mine[0]), "times": times})
    return rows


def saved(figures, files):
    made = figures["ours"][0]["bytes"]["optimized"]
    shares = sorted(1 - min(made[path.name], path.stat().st_size) / path.stat().st_size for path in files)
    print(f"full size, bytes saved: median {statistics.median(shares):.0%}, {shares[0]:.0%} to {shares[-1]:.0%}")
    return result.spread(shares)


def scores(ours, files):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for side in ["lossless", *SIDES]:
            (folder / side).mkdir()
            run(ours, side, "all", 2, folder / side, files)
        found = {}
        for side in SIDES:
            command = [ours, "score", folder / "lossless", folder / side]
            means = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"  {side:10} " + ", ".join(f"{variant} {mean:.2f}" for variant, mean in means.items()), flush=True)
            found[side] = means
    return found


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("files", type=pathlib.Path, nargs="+", metavar="FILE")
    options.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    options.add_argument("--no-scores", action="store_true", help="leave SSIMULACRA2 out, which takes longest")
    options.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures as JSON")
    options = options.parse_args()
    stamp, ours, work, saved_share = result.stamp(), build(), [], None
    print(f"{len(options.files)} images, {sum(path.stat().st_size for path in options.files) / 1e6:.1f} MB; {options.rounds} rounds, medians")
    for stages, workers, what in [("all", 2, "all outputs, two at a time"), ("sizes", 2, "four sizes, placeholder and colour, two at a time"), ("sizes", 1, "the same, one at a time")]:
        print(f"{what}:", flush=True)
        figures = rounds_of(ours, stages, workers, options.files, options.rounds)
        work.append({"what": what, "stages": stages, "workers": workers, "sides": told(figures, len(options.files))})
        if stages == "all":
            saved_share = saved(figures, options.files)
    scored = None
    if not options.no_scores:
        print("SSIMULACRA2 against lossless files of the same sizes, means:")
        scored = scores(ours, options.files)
    given = {"images": len(options.files), "imageBytes": sum(path.stat().st_size for path in options.files), "rounds": options.rounds}
    result.write(options.json, {"stamp": stamp, **given, "work": work, "saved": saved_share, "scores": scored})


if __name__ == "__main__":
    main()
