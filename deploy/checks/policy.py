"""What policies of others say: checkov's for Kubernetes. Whatever is excepted says why, where it is."""

import json
import pathlib
import subprocess
import tempfile

# An exception is explained, not waved through.
EXPLANATION_CHARS_MIN = 30


def faults(checkov, renderings):
    """What is not as it should be, by rendering: {name: [fault, …]}. One run for all, for its start is what takes long."""
    found = {one.name: [] for one in renderings}
    with tempfile.TemporaryDirectory() as folder:
        names = {f"/{number}.yaml": one.name for number, one in enumerate(renderings)}
        for number, one in enumerate(renderings):
            (pathlib.Path(folder) / f"{number}.yaml").write_text(one.text())
        command = [checkov, "--framework", "kubernetes", "--skip-download", "--directory", folder, "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    try:
        results = json.loads(done.stdout)["results"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise SystemExit(f"checkov does not judge: {done.stdout[-500:]} {done.stderr[-500:]}") from None
    if results["parsing_errors"]:
        raise SystemExit(f"checkov cannot read {results['parsing_errors']}")
    for one in results["failed_checks"]:
        found[names[one["file_path"]]].append(f"{one['check_id']} {one['resource']}: {one['check_name']}")
    for one in results["skipped_checks"]:
        if len(one["check_result"].get("suppress_comment") or "") < EXPLANATION_CHARS_MIN:
            found[names[one["file_path"]]].append(f"{one['check_id']} {one['resource']}: the exception is not explained")
    return found
