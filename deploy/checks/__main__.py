"""Renders, judges, and says what is wrong."""

import argparse
import sys
import time

from checks import between, broken, compose, consistency, policy, routes, schema
from checks.rendering import folders, render


def judged(options, renderings):
    """All faults, by rendering."""
    found = policy.faults(options.checkov, renderings)
    for one in renderings:
        found[one.name] += [f"schema: {fault}" for fault in schema.faults(one)]
        # What has no form is not looked at further.
        if not found[one.name]:
            found[one.name] += consistency.faults(options.binary, one)
    by_name = {one.name: one for one in renderings}
    # What is not sound by itself is not held against others.
    for rule, (name, _) in between.RULES.items() if not any(found.values()) else ():
        found[name] += between.faults(rule, options.binary, by_name)
    found[routes.FILE.name] = list(routes.faults())
    found[compose.FILE.name] = compose.faults(options.binary, options.validator, compose.read())
    return found


def main():
    parser = argparse.ArgumentParser(prog="deploy/check")
    parser.add_argument("--kubectl", required=True)
    parser.add_argument("--checkov", required=True)
    parser.add_argument("--validator", required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--broken", action="store_true", help="spoil copies, and expect that to be found")
    options = parser.parse_args()

    since = time.monotonic()
    renderings = [render(options.kubectl, folder) for folder in folders()]
    print("== manifests")
    wrong = 0
    for name, faults in judged(options, renderings).items():
        count = sum(len(one.objects) for one in renderings if one.name == name)
        print(f"{name}: {f'{count} objects, ' if count else ''}{len(faults) or 'no'} faults")
        for fault in faults:
            print(f"  {fault}")
        wrong += len(faults)
    if options.broken and not wrong:
        print("== what is spoilt is found")
        wrong += broken.missed(options, renderings)
    print(f"{time.monotonic() - since:.1f} s")
    sys.exit(1 if wrong else 0)


main()
