"""Which images there are, and what each is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """tag: name under which manifests find it; dockerfile and sources: paths in the repository.

    requirements, package, module, data: what the Dockerfile's stages `site`, `debian`, `go` and
    `data` provide; package: one or more, with blanks between. binary: instead of a module, a
    command that the cluster's tools lock. mounted: the requirements are too heavy for an image
    here; `site` stays empty, and the pod mounts what it would hold.
    """

    name: str
    tag: str
    dockerfile: str
    sources: tuple[str, ...] = ()
    requirements: str | None = None
    package: str | None = None
    module: str | None = None
    binary: str | None = None
    data: bool = False
    mounted: bool = False


IMAGES = (
    Image(
        "operator",
        "docker.io/evenkeel/operator:dev",
        "operator/Dockerfile",
        sources=("operator/evenkeel",),
        requirements="requirements/operator.txt",
    ),
    Image(
        "demo",
        "docker.io/evenkeel/demo:dev",
        "demo/Dockerfile",
        sources=(
            "operator/evenkeel/__init__.py",
            "operator/evenkeel/trainer",
            "demo/__init__.py",
            "demo/data",
            "demo/trainer",
            "demo/traffic",
        ),
        requirements="requirements/demo.txt",
        data=True,
    ),
    Image(
        "data",
        "docker.io/evenkeel/data:dev",
        "dev/images/data/Dockerfile",
        sources=("operator/evenkeel/__init__.py", "operator/evenkeel/sidecars"),
        requirements="requirements/data.txt",
        package="git libbrotli1 libcom-err2 libcurl3-gnutls libgmp10 libgnutls30 libgssapi-krb5-2 "
        "libhogweed6 libidn2-0 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 libldap-2.5-0 "
        "libnettle8 libnghttp2-14 libp11-kit0 libpcre2-8-0 libpsl5 librtmp1 libsasl2-2 libssh2-1 "
        "libtasn1-6 libunistring2 libzstd1",
    ),
    Image(
        "meter",
        "docker.io/evenkeel/meter:dev",
        "meter/Dockerfile",
        module="meter",
    ),
    Image(
        "mlserver",
        "docker.io/seldonio/mlserver:1.7.1",
        "dev/images/mlserver/Dockerfile",
        requirements="requirements/mlserver.txt",
    ),
    Image(
        "storage-initializer",
        "docker.io/kserve/storage-initializer:v0.21.0",
        "dev/images/storage-initializer/Dockerfile",
        sources=("dev/images/storage-initializer",),
        requirements="requirements/storage-initializer.txt",
    ),
    Image(
        "prometheus",
        "docker.io/prom/prometheus:v3.16.0",
        "dev/images/prometheus/Dockerfile",
        module="dev/images/prometheus",
    ),
    Image(
        "alertmanager",
        "docker.io/prom/alertmanager:v0.25.0",
        "dev/images/alertmanager/Dockerfile",
        package="prometheus-alertmanager",
    ),
    Image(
        "traefik",
        "docker.io/library/traefik:v3.7.15",
        "dev/images/traefik/Dockerfile",
        requirements="requirements/gateway.txt",
    ),
    Image(
        "mlflow",
        "ghcr.io/mlflow/mlflow:v3.17.2",
        "dev/images/mlflow/Dockerfile",
        requirements="requirements/mlflow.txt",
    ),
    Image(
        "mlserver-mlflow",
        "docker.io/seldonio/mlserver:1.7.1-mlflow",
        "dev/images/mlserver/Dockerfile",
        requirements="requirements/mlserver-mlflow.txt",
    ),
    Image(
        "versitygw",
        "docker.io/versity/versitygw:v1.8.0",
        "dev/images/versitygw/Dockerfile",
        binary="versitygw",
    ),
    Image(
        "llm-server",
        "ghcr.io/ggml-org/llama.cpp:server-b11549",
        "dev/images/llm-server/Dockerfile",
        sources=("dev/images/llm-server",),
        requirements="requirements/llm-server.txt",
    ),
    Image(
        "trainer",
        "ghcr.io/kubeflow/trainer/trainer-controller-manager:v2.0.0",
        "dev/images/trainer/Dockerfile",
        binary="trainer-controller-manager",
    ),
    Image(
        "jobset",
        "registry.k8s.io/jobset/jobset:v0.8.2",
        "dev/images/jobset/Dockerfile",
        binary="jobset",
    ),
    Image(
        "metaflow",
        "example.com/tumours:1",
        "examples/metaflow/Dockerfile",
        sources=(
            "operator/evenkeel/__init__.py",
            "operator/evenkeel/trainer",
            "examples/metaflow/flow.py",
        ),
        requirements="requirements/metaflow.txt",
    ),
    Image(
        "tfx",
        "example.com/deliveries:1",
        "examples/tfx/Dockerfile",
        sources=(
            "operator/evenkeel/__init__.py",
            "operator/evenkeel/trainer",
            "examples/tfx/deliveries.py",
            "examples/tfx/pipeline.py",
            "examples/tfx/schema.pbtxt",
            "examples/tfx/trainer_module.py",
        ),
        requirements="requirements/tfx.txt",
        mounted=True,
    ),
    Image(
        "mlserver-tensorflow",
        "example.com/mlserver-tensorflow:1.7.1",
        "examples/runtimes/tensorflow/Dockerfile",
        sources=("examples/runtimes/tensorflow/saved_model_runtime.py",),
        requirements="requirements/mlserver-tensorflow.txt",
        mounted=True,
    ),
    Image(
        "mlserver-onnx",
        "example.com/mlserver-onnx:1.7.1",
        "examples/runtimes/onnx/Dockerfile",
        sources=("examples/runtimes/onnx/onnx_runtime.py",),
        requirements="requirements/mlserver-onnx.txt",
    ),
    Image(
        "triton",
        "nvcr.io/nvidia/tritonserver:25.10-py3",
        "dev/images/triton/Dockerfile",
        requirements="requirements/triton.txt",
        package="libpython3.11 bash libtinfo6",
    ),
)
