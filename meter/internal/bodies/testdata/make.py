"""Writes the bodies beside this file, as clients and servers of model servers write them.

Run as `python make.py mlserver` and `python make.py triton` in an environment with mlserver 1.7.1,
tritonclient[all] 2.73.0 and ml_dtypes; the first two cannot be imported into one process. It writes
each body, and an index that says of each what its rows are, from what was put in.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

if "mlserver" in sys.argv:
    from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
    from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
    from mlserver.types import InferenceRequest, InferenceResponse
else:
    import ml_dtypes
    import tritonclient.grpc as triton_grpc
    import tritonclient.http as triton_http
    from tritonclient.grpc._utils import _get_inference_request

HERE = Path(__file__).parent
index: list[dict[str, object]] = []

Row = dict[str, list[str | None]]
"""By field the texts of its columns, None where a value is missing."""

FRAME = pd.DataFrame(
    {
        "temperature": [1.5, -2.25, 1e-7],
        "color": pd.Series(["red", "bläu", ""], dtype=object),
        "age": [41, 7, -1],
    }
)
FRAME_ROWS: list[Row] = [
    {"temperature": ["1.5"], "color": ["red"], "age": ["41"]},
    {"temperature": ["-2.25"], "color": ["bläu"], "age": ["7"]},
    {"temperature": ["1e-07"], "color": [""], "age": ["-1"]},
]
MATRIX = np.array([[0.5, 1.0, -3.25], [2.0, np.nan, 7.0]])
MATRIX_ROWS: list[list[str | None]] = [["0.5", "1", "-3.25"], ["2", None, "7"]]
ANSWER_ROWS: list[Row] = [
    {"predict": ["1"], "predict_proba": ["0.25", "0.75"], "label": ["yes"]},
    {"predict": ["0"], "predict_proba": ["1", "0"], "label": ["no"]},
    {"predict": ["2"], "predict_proba": ["0.5", "0.5"], "label": ["ja"]},
]
VALUES: dict[str, tuple[object, list[object], list[str]]] = {
    "BOOL": (np.bool_, [True, False], ["true", "false"]),
    "UINT8": (np.uint8, [0, 255], ["0", "255"]),
    "UINT16": (np.uint16, [0, 65535], ["0", "65535"]),
    "UINT32": (np.uint32, [0, 2**32 - 1], ["0", "4294967295"]),
    "UINT64": (np.uint64, [0, 2**64 - 1], ["0", "18446744073709551615"]),
    "INT8": (np.int8, [-128, 127], ["-128", "127"]),
    "INT16": (np.int16, [-32768, 32767], ["-32768", "32767"]),
    "INT32": (np.int32, [-(2**31), 2**31 - 1], ["-2147483648", "2147483647"]),
    "INT64": (np.int64, [-(2**63), 2**63 - 1], ["-9223372036854775808", "9223372036854775807"]),
    "FP16": (np.float16, [-0.5, 65504], ["-0.5", "65504"]),
    "BF16": ("bfloat16", [1.5, -3.0], ["1.5", "-3"]),
    "FP32": (np.float32, [0.1, -1e30], ["0.1", "-1e+30"]),
    "FP64": (np.float64, [0.1, -1e300], ["0.1", "-1e+300"]),
    "BYTES": (np.object_, ["red", "bläu"], ["red", "bläu"]),
}


def write(
    name: str, content: bytes, rows: list[Row], side: str = "request", **headers: str
) -> None:
    (HERE / f"{name}.body").write_bytes(content)
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    index.append({"name": name, "side": side, "headers": sent, "rows": rows})


def mlserver() -> None:
    def both(name: str, message: InferenceRequest | InferenceResponse, rows: list[Row]) -> None:
        side = "request" if isinstance(message, InferenceRequest) else "answer"
        write(f"{name}-http", message.model_dump_json(exclude_none=True).encode(), rows, side)
        for kind, raw in (("grpc", False), ("grpc-raw", True)):
            if isinstance(message, InferenceRequest):
                wire = ModelInferRequestConverter.from_types(message, "m", None, use_raw=raw)
            else:
                wire = ModelInferResponseConverter.from_types(message, use_raw=raw)
            write(f"{name}-{kind}", wire.SerializeToString(), rows, side)

    both("mlserver-pandas", PandasCodec.encode_request(FRAME), FRAME_ROWS)
    matrix = NumpyRequestCodec.encode_request(MATRIX)
    rows: list[Row] = [{matrix.inputs[0].name: row} for row in MATRIX_ROWS]
    write("mlserver-numpy-http", matrix.model_dump_json(exclude_none=True).encode(), rows)
    probabilities = np.array([[0.25, 0.75], [1, 0], [0.5, 0.5]], dtype=np.float32)
    outputs = [
        NumpyCodec.encode_output("predict", np.array([1, 0, 2], dtype=np.int64)),
        NumpyCodec.encode_output("predict_proba", probabilities),
        StringCodec.encode_output("label", ["yes", "no", "ja"]),
    ]
    both("mlserver-answer", InferenceResponse(model_name="m", outputs=outputs), ANSWER_ROWS)


def triton() -> None:
    def inputs(module: object) -> list:
        made = []
        for datatype, (kind, values, _) in VALUES.items():
            dtype = ml_dtypes.bfloat16 if kind == "bfloat16" else kind
            made.append(module.InferInput(f"in-{datatype}", [2, 1], datatype))
            made[-1].set_data_from_numpy(np.array(values, dtype=dtype).reshape(2, 1))
        return made

    rows: list[Row] = [
        {f"in-{datatype}": [texts[row]] for datatype, (_, _, texts) in VALUES.items()}
        for row in range(2)
    ]
    encode = triton_http.InferenceServerClient.generate_request_body
    content, size = encode(inputs(triton_http))
    length = {"Inference_Header_Content_Length": str(size)}
    write("triton-binary-http", content, rows, **length)
    packed = gzip.compress(content, mtime=0)
    write("triton-gzip-http", packed, rows, Content_Encoding="gzip", **length)
    rest = ("", "", None, 0, False, False, 0, None, None)
    wire = _get_inference_request("m", inputs(triton_grpc), *rest)
    write("triton-grpc", wire.SerializeToString(), rows)

    matrix = triton_http.InferInput("matrix", [2, 2], "FP32")
    matrix.set_data_from_numpy(np.array([[1, 2], [3, 4.5]], dtype=np.float32), binary_data=False)
    names = triton_http.InferInput("names", [2], "BYTES")
    names.set_data_from_numpy(np.array(["a", "ü"], dtype=np.object_), binary_data=True)
    content, size = encode([matrix, names], request_id="7")
    rows = [{"matrix": ["1", "2"], "names": ["a"]}, {"matrix": ["3", "4.5"], "names": ["ü"]}]
    write("triton-mixed-http", content, rows, Inference_Header_Content_Length=str(size))
    names.set_data_from_numpy(np.array(["a", "ü"], dtype=np.object_), binary_data=False)
    write("triton-json-http", encode([matrix, names])[0], rows)

    # The json of Python's standard library writes NaN as no other does.
    content = json.dumps({"instances": MATRIX.tolist()}).encode()
    write("python-http", content, [{"": row} for row in MATRIX_ROWS])


if __name__ == "__main__":
    mlserver() if "mlserver" in sys.argv else triton()
    text = json.dumps(index, indent=1, ensure_ascii=False)
    (HERE / f"{sys.argv[1]}.json").write_text(text + "\n")
