"""The helper works in a trainer's image, which has another Python and no operator."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from evenkeel.trainer.profile import load
from evenkeel.training.result import parse_result

from dev.paths import ROOT

PROGRAM = """
import sys
import evenkeel.trainer.metaflow, evenkeel.trainer.tfx
from evenkeel.trainer import report
from evenkeel.trainer.profile import profile
report("s3://models/elec/7", "sklearn", metrics={"accuracy": 0.93}, path=sys.argv[1])
profile({"load": [0.5, 1.5], "day": ["mon", None]}, [0, 1]).save(sys.argv[2])
loaded = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(sorted(loaded - {"__main__", "__mp_main__"}))
"""


def test_two_copied_paths_are_enough(tmp_path: Path) -> None:
    source = ROOT / "operator" / "evenkeel"
    image = tmp_path / "image"
    shutil.copytree(source / "trainer", image / "evenkeel" / "trainer")
    shutil.copy(source / "__init__.py", image / "evenkeel")
    target = tmp_path / "result.json"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(image)!r})\n{PROGRAM}",
            target,
            tmp_path / "model",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['evenkeel']\n"
    assert parse_result(target.read_text()).uri == "s3://models/elec/7"
    assert load(tmp_path / "model").rows == 2
