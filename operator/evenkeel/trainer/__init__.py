"""For trainers, in their own images: what a run is told, and how it reports.

    from evenkeel.trainer import report
    report("s3://models/elec/7", "sklearn", metrics={"accuracy": 0.93})

`evenkeel.trainer.profile` writes what the model was trained on, for the meter beside its server.

The standard library of Python 3.9 alone. A trainer's image needs no more than
`evenkeel/__init__.py` and `evenkeel/trainer/`.
"""

from evenkeel.trainer.result import OBJECT_BYTES, InvalidReport, report, report_text
from evenkeel.trainer.run import Champion, Data, Run, this_run

__all__ = [
    "OBJECT_BYTES",
    "Champion",
    "Data",
    "InvalidReport",
    "Run",
    "report",
    "report_text",
    "this_run",
]
