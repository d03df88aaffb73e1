"""The list of servers and requests that `loadtest bench` reads."""

import json


def process(of, pid=None):
    """A server in the list that `loadtest bench` reads: one that it starts, or with `pid` one that runs."""
    env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in of.env.items())
    start = f"pid = {pid}" if pid else f"command = {json.dumps(list(map(str, of.command)))}\nenv = {{ {env} }}"
    return f'[[process]]\nname = "{of.name}"\n{start}\nbase = "http://127.0.0.1:{of.port}"\nready = "{of.ready}"\n'


def target(name, of, paths, beside=None):
    compare = f'compare_to = "{beside}"\n' if beside else ""
    return f'[[target]]\nname = "{name}"\nprocess = "{of.name}"\npaths = {json.dumps(paths)}\n{compare}'
