"""A runtime of MLServer for ONNX models, on ONNX Runtime: inputs and outputs by name, by V2.

The model's address is a .onnx file, a folder with one, or a folder of versions of these with whole
numbers as names, as Triton has them; the highest is served.
"""

import asyncio
from pathlib import Path

import numpy as np
import onnxruntime as ort
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse, MetadataTensor
from mlserver.utils import get_model_uri
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

TENSORS = {
    "tensor(bool)": ("BOOL", np.bool_),
    "tensor(int8)": ("INT8", np.int8),
    "tensor(int16)": ("INT16", np.int16),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(int64)": ("INT64", np.int64),
    "tensor(uint8)": ("UINT8", np.uint8),
    "tensor(uint16)": ("UINT16", np.uint16),
    "tensor(uint32)": ("UINT32", np.uint32),
    "tensor(uint64)": ("UINT64", np.uint64),
    "tensor(float16)": ("FP16", np.float16),
    "tensor(float)": ("FP32", np.float32),
    "tensor(double)": ("FP64", np.float64),
    "tensor(string)": ("BYTES", np.object_),
}
"""What a tensor of the model is in V2 and in NumPy."""


class OnnxRuntime(MLModel):
    async def load(self):
        file = newest(Path(await get_model_uri(self._settings)))
        self._session = await asyncio.to_thread(
            ort.InferenceSession, str(file), providers=["CPUExecutionProvider"]
        )
        self._expected = {tensor.name: tensor for tensor in self._session.get_inputs()}
        self.inputs = [metadata(tensor) for tensor in self._expected.values()]
        self.outputs = [metadata(tensor) for tensor in self._session.get_outputs()]
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
            values = {
                name: NumpyCodec.decode_input(given[name]).astype(TENSORS[tensor.type][1])
                for name, tensor in self._expected.items()
            }
            found = self._session.run(None, values)
        except (ValueError, TypeError, InvalidArgument) as problem:
            raise InferenceError(str(problem)) from problem
        return dict(zip((tensor.name for tensor in self.outputs), found, strict=True))


def newest(path):
    """The file to serve."""
    if path.is_file():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) == 1:
        return found[0]
    versions = [folder for folder in path.iterdir() if folder.name.isdecimal()]
    if found or not versions:
        raise FileNotFoundError(f"{path} has neither one .onnx file nor numbered folders")
    return newest(max(versions, key=lambda folder: int(folder.name)))


def metadata(tensor):
    if tensor.type not in TENSORS:
        raise ValueError(
            f"{tensor.name} is a {tensor.type}, which V2 cannot tell: convert the model so that it "
            "has tensors alone (skl2onnx: zipmap=False)"
        )
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return MetadataTensor(name=tensor.name, datatype=TENSORS[tensor.type][0], shape=shape)
