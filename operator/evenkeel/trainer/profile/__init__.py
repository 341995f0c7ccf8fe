"""The reference profile: how features and predictions were distributed when a model was trained.

    from evenkeel.trainer.profile import profile
    profile(train_x, model.predict(train_x)).save(folder_of_the_model)

The meter beside the model server counts requests into its bins, and drift is judged against it.
"""

from evenkeel.trainer.profile.document import BYTES, FILE, InvalidProfile, Profile, check, load
from evenkeel.trainer.profile.mlflow import from_mlflow_signature
from evenkeel.trainer.profile.profiler import Profiler, profile
from evenkeel.trainer.profile.tfdv import from_tfdv

__all__ = [
    "BYTES",
    "FILE",
    "InvalidProfile",
    "Profile",
    "Profiler",
    "check",
    "from_mlflow_signature",
    "from_tfdv",
    "load",
    "profile",
]
