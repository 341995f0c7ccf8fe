"""llama-server's command line, as far as tests use it, over the server that xllamacpp packs.

HTTP, streams, slots and metrics are llama.cpp's; only its parser of options is not in the package.
"""

import argparse
import os
import signal

import xllamacpp

OPTIONS = (
    # Name, variable, type, default
    ("model", "MODEL", str, None),
    ("alias", "ALIAS", str, None),
    ("host", "HOST", str, "0.0.0.0"),
    ("port", "PORT", int, 8080),
    ("ctx-size", "CTX_SIZE", int, 0),
    ("parallel", "N_PARALLEL", int, 4),
    ("threads", "THREADS", int, -1),
    ("predict", "N_PREDICT", int, -1),
)


def params(words: list[str] | None = None) -> xllamacpp.CommonParams:
    """Options by llama-server's names, each else by its variable, else by its default."""
    parser = argparse.ArgumentParser("llama-server", allow_abbrev=False)
    for name, variable, kind, default in OPTIONS:
        told = os.environ.get(f"LLAMA_ARG_{variable}", default)
        parser.add_argument(f"--{name}", type=kind, default=told)
    parser.add_argument("--metrics", action="store_true")
    options = parser.parse_args(words)
    found = xllamacpp.CommonParams()
    found.model.path = options.model or ""
    found.model_alias = {options.alias} if options.alias else set()
    found.hostnames = [options.host]
    found.port = options.port
    found.n_ctx = options.ctx_size
    found.n_parallel = options.parallel
    found.n_predict = options.predict
    found.endpoint_metrics = options.metrics
    for cpu in (found.cpuparams, found.cpuparams_batch):
        cpu.n_threads = options.threads
    return found


if __name__ == "__main__":
    ends = {signal.SIGTERM, signal.SIGINT}
    # Before the server's threads are there, which inherit it; the first process ignores the rest.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    # It listens once the model is loaded.
    server = xllamacpp.Server(params())
    print(f"listening on {server.listening_address}", flush=True)
    signal.sigwait(ends)
