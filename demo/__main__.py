"""`python -m demo`: the whole loop on a real cluster; exit status 0 only if all of it was seen."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from typing import get_args

from evenkeel.kube.client import ApiError
from rich.console import Console
from rich.live import Live

from demo import report
from demo.plain import Plain
from demo.progress import Progress
from demo.runner import NotObserved, Runner, diagnosis, fail
from demo.stages import TriggerKind, stages
from demo.view import View
from dev.cluster import provider
from dev.cluster.errors import ClusterError
from dev.paths import ROOT

REPORT = ROOT / "build" / "demo.json"

LOOK_AROUND = """
The cluster runs on, with the model in namespace demo (the traffic has been stopped):
  export KUBECONFIG={kubeconfig}
  kubectl -n demo get modeldeployments,modelversions,trainingruns,retrainschedules
  kubectl -n demo describe modelversions
Take it down with `make clean`; see docs/demo.md for more."""


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 if every stage was observed, 1 if not, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    progress = Progress(stages(options.trigger), time.time())
    runner = Runner(progress, options.provider, installed=options.fast)
    console = Console(no_color=options.no_color, highlight=False)
    reason = ""
    try:
        asyncio.run(_watch(runner, console))
    except (NotObserved, ClusterError, ApiError) as error:
        reason = str(error)
        fail(progress, reason.splitlines()[0])
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(progress, "interrupted")
        reason = "interrupted"
    _tell(runner, console, reason)
    if reason == "interrupted":
        return 130
    if progress.complete and not options.keep and runner.stack is not None:
        runner.stack.kubectl("delete", "namespace", "demo", "--wait=false")
    return 0 if progress.complete else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Shows the whole loop on a real cluster, unattended: serve, drift, retrain, "
        "canary, probation, and the rollback of a bad version. Ends by itself, with status 0 only "
        "if every stage was observed.",
    )
    parser.add_argument("--provider", choices=("auto", *provider.NAMES), default="auto")
    parser.add_argument(
        "--trigger",
        choices=get_args(TriggerKind),
        default="drift",
        help="what begins the retraining: drift that the detectors find, or an alert (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--fast", action="store_true", help="the stack is installed already: begin with the model"
    )
    parser.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="leave the model in place, to look around (default)",
    )
    parser.add_argument("--no-color", action="store_true", help="no colours")
    return parser


async def _watch(runner: Runner, console: Console) -> None:
    """Runs the demonstration beside its view. SIGTERM ends it as Ctrl-C does, traffic included."""
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    if console.is_terminal:
        with Live(View(runner.progress), console=console, screen=True, refresh_per_second=4):
            await runner.run()
        return
    plain = Plain(runner.progress, lambda line: print(line, flush=True))
    printing = asyncio.create_task(_print(plain))
    try:
        await runner.run()
    except (NotObserved, ClusterError, ApiError) as error:
        fail(runner.progress, str(error).splitlines()[0])
        raise
    finally:
        printing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await printing
        plain.update(time.time())


async def _print(plain: Plain) -> None:
    while True:
        plain.update(time.time())
        await asyncio.sleep(0.5)


def _tell(runner: Runner, console: Console, reason: str) -> None:
    progress, stack = runner.progress, runner.stack
    for line in report.summary(progress):
        console.print(line, markup=False, soft_wrap=True)
    if reason and reason != "interrupted":
        last = progress.history[-1] if progress.history else None
        console.print("\nWhat a person would look at now", markup=False)
        for line in diagnosis(stack, last):
            console.print(f"  {line}", markup=False, soft_wrap=True)
        where = progress.done[-1].stage.title if progress.done else "start"
        console.print(f"\n{where}: {reason}", markup=False, soft_wrap=True)
    elif stack is not None:
        kubeconfig = str(stack.kubeconfig)
        console.print(LOOK_AROUND.format(kubeconfig=kubeconfig), markup=False, soft_wrap=True)
    report.write(progress, stack.cluster.name if stack else "", REPORT)
    seen = sum(d.observed for d in progress.done)
    word = "observed" if progress.complete else "FAILED"
    console.print(
        f"\ndemo: {word}, {seen} of {len(progress.stages)} stages in "
        f"{time.time() - progress.started:.0f} s; {REPORT.relative_to(ROOT)}",
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())
