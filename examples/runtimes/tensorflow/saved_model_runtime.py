"""A runtime of MLServer for SavedModels of TensorFlow: their signature serving_default, by V2.

The model's address is a SavedModel, or a folder of versions of it with whole numbers as names, as
TFX pushes them; the highest is served.
"""

import asyncio
from pathlib import Path

import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse, MetadataTensor
from mlserver.utils import get_model_uri

SIGNATURE = "serving_default"
DATATYPES = {
    "bool": "BOOL",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}


class SavedModelRuntime(MLModel):
    async def load(self):
        folder = newest(Path(await get_model_uri(self._settings)))
        # Kept, since its functions hold its variables by weak references alone.
        self._saved = await asyncio.to_thread(tf.saved_model.load, str(folder))
        self._function = self._saved.signatures[SIGNATURE]
        self._expected = self._function.structured_input_signature[1]
        self.inputs = [metadata(name, spec) for name, spec in self._expected.items()]
        returned = self._function.structured_outputs
        self.outputs = [metadata(name, spec) for name, spec in returned.items()]
        return True

    async def predict(self, payload):
        given = {tensor.name: tensor for tensor in payload.inputs}
        if differing := given.keys() ^ self._expected.keys():
            expected = ", ".join(sorted(self._expected))
            raise InferenceError(f"inputs must be {expected}: see {', '.join(sorted(differing))}")
        answer = await asyncio.to_thread(self._answer, given)
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output(name, value) for name, value in answer.items()],
        )

    def _answer(self, given):
        try:
            tensors = {name: fitting(given[name], spec) for name, spec in self._expected.items()}
            return {name: value.numpy() for name, value in self._function(**tensors).items()}
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as problem:
            raise InferenceError(str(problem)) from problem


def fitting(tensor, spec):
    """What was given, as the signature has it; its functions themselves take other shapes too."""
    found = tf.constant(NumpyCodec.decode_input(tensor), dtype=spec.dtype)
    if not spec.shape.is_compatible_with(found.shape):
        raise ValueError(f"{tensor.name} has the shape {found.shape}, not {spec.shape}")
    return found


def newest(folder):
    """The SavedModel to serve."""
    if (folder / "saved_model.pb").exists():
        return folder
    versions = [path for path in folder.iterdir() if path.name.isdecimal()]
    if not versions:
        raise FileNotFoundError(f"{folder} has neither a saved_model.pb nor numbered folders")
    return max(versions, key=lambda path: int(path.name))


def metadata(name, spec):
    shape = [-1 if size is None else size for size in spec.shape.as_list()]
    return MetadataTensor(name=name, datatype=DATATYPES[spec.dtype.name], shape=shape)
