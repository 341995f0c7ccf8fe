"""Reading the data set; that the real one is what it should be, e2e/ proves."""

import gzip
from pathlib import Path

import pytest

from demo.data import elec2


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "elec2.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(ValueError, match="fetch it again"):
        elec2.load(path)
