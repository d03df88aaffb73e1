"""What speaks the language of S3: SeaweedFS, which checks signatures and honours conditions. `./test` installs it, or it is on the path."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from .place import LOOPBACK, ask
from .process import eventually, free_port

PARTS = ["master", "volume", "filer", "s3"]
KEY, SECRET = "key", "secret"
IDENTITIES = {"identities": [{"name": "tests", "actions": ["Admin"], "credentials": [{"accessKey": KEY, "secretKey": SECRET}]}]}
START_S = 60


def program():
    place = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "lets-connect/seaweedfs/bin/weed"
    return shutil.which("weed") or (str(place) if place.exists() else None)


class Objects:
    """A server of our own in a temporary folder."""

    def __init__(self, folder):
        weed = program() or sys.exit("no weed: ./test installs SeaweedFS, or put its program on the path")
        place = folder / "objects"
        (place / "data").mkdir(parents=True)
        (place / "identities.json").write_text(json.dumps(IDENTITIES))
        self.ports = {part: (free_port(), free_port()) for part in PARTS}
        command = [weed, "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-master.volumeSizeLimitMB=64"]
        command += ["-master.volumePreallocate=false", "-volume.max=100", "-filer", "-s3", "-s3.autoCreateBucket=false", "-s3.iam=false"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-dir={place / 'data'}", f"-s3.config={place / 'identities.json'}"]
        command += [f"-filer.localSocket={place / 'filer.sock'}", f"-s3.localSocket={place / 's3.sock'}"]
        command += [word for part, (port, grpc) in self.ports.items() for word in (f"-{part}.port={port}", f"-{part}.port.grpc={grpc}")]
        with open(place / "log", "wb") as log:
            self.server = subprocess.Popen(command, cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if eventually(self.answers, START_S) is None:
            self.stop()
            sys.exit(f"SeaweedFS does not start: {(place / 'log').read_text(errors='replace')[-1000:]}")

    @property
    def port(self):
        return self.ports["s3"][0]

    def answers(self):
        """It refuses whoever signs nothing, once all of its parts are there."""
        return self.ask("s3", "/")[0] == 403 and b'"fid"' in self.ask("master", "/dir/assign")[2]

    def ask(self, part, path, method="GET"):
        return ask(LOOPBACK, "127.0.0.1", self.ports[part][0], path, method, headers={"accept": "application/json"}, timeout=5)

    def make_bucket(self, name):
        status = self.ask("filer", f"/buckets/{name}/", "POST")[0]
        if status != 201:
            raise RuntimeError(f"making a bucket was answered {status}")

    def names(self, folder):
        """What is in a bucket, or a folder of one, as the server lists it around S3: paths of files below it."""
        listed = []
        status, _, body = self.ask("filer", f"/buckets/{folder}/?limit=100000")
        for entry in json.loads(body)["Entries"] or [] if status == 200 and body else []:
            name = entry["FullPath"].removeprefix("/buckets/")
            # The directory's bit of Go's file modes.
            listed += self.names(name) if entry["Mode"] & 1 << 31 else [name]
        return listed

    def stop(self):
        """At once: what it holds goes with its folder."""
        self.server.kill()
        self.server.wait()
