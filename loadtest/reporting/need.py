"""What sections need beside the binaries, how it is found, and how it is had."""

import glob
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(name):
    return lambda: shutil.which(name) is not None


def tool(name):
    return lambda: (ROOT / "loadtest" / name).exists()


# By name: whether it is there, and what to do if not.
NEEDS = {
    "postgres": (lambda: bool(glob.glob("/usr/lib/postgresql/*/bin/initdb")), "PostgreSQL's programs: apt-get install postgresql"),
    "redis": (program("redis-server"), "Redis: apt-get install redis-server"),
    "node": (lambda: all(map(shutil.which, ("node", "npm"))), "Node.js 20 and npm"),
    "cargo": (program("cargo"), "a Rust toolchain: https://rustup.rs"),
    "soak": (tool("soak"), "loadtest/soak, which this checkout does not have"),
    "capacity": (tool("capacity"), "loadtest/capacity, which this checkout does not have"),
    "bad-days": (tool("bad-days"), "loadtest/bad-days, which this checkout does not have"),
    "instructions": (tool("instructions"), "loadtest/instructions, which this checkout does not have"),
    "valgrind": (program("valgrind"), "valgrind: apt-get install valgrind"),
}


def lacking(names):
    """What is not there, in words; empty if everything is."""
    return "; ".join(NEEDS[name][1] for name in names if not NEEDS[name][0]())
