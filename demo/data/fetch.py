"""Fetches Elec2 from the package index: `python -m demo.data.fetch DESTINATION.csv.gz`.

The data set travels in a wheel of scikit-multiflow 0.4.1; the wheel is pinned by hash in
requirements/demo-data.txt, unpacked and never installed or run.
"""

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from dev.paths import ROOT

REQUIREMENTS = ROOT / "requirements" / "demo-data.txt"
MEMBER = "skmultiflow/data/datasets/elec.csv"
SHA256 = "ebdfe5480ae25a43a7d054286135e3a9484697a2850d5158a333b1578c28bb97"
# The wheel was built for an interpreter older than any that runs this code.
WHEEL_TAGS = (
    *("--python-version", "3.7", "--implementation", "cp"),
    *("--abi", "cp37m", "--platform", "manylinux1_x86_64"),
)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m demo.data.fetch DESTINATION.csv.gz")
    fetch(Path(sys.argv[1]))


def fetch(destination: Path) -> None:
    """Writes the gzipped CSV, unless it is there already.

    Raises SystemExit when the download fails or the data set differs from the one known here.
    """
    if destination.exists() and _sha256(gzip.decompress(destination.read_bytes())) == SHA256:
        return
    content = _download()
    if _sha256(content) != SHA256:
        raise SystemExit(f"{MEMBER} is not the data set known here: its SHA-256 differs")
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_suffix(".part")
    part.write_bytes(gzip.compress(content, mtime=0))
    os.replace(part, destination)


def _download() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary", ":all:", *WHEEL_TAGS, "--require-hashes"),
            *("--requirement", str(REQUIREMENTS), "--dest", folder),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if result.returncode or not wheels:
            raise SystemExit(f"pip cannot download the demo's data set:\n{result.stderr}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            return wheel.read(MEMBER)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
