"""Kubeflow Pipelines is asked for one run, whatever gets lost, and for no second one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from evenkeel.adapters.access import Access
from evenkeel.adapters.pipeline_answers import MOST
from evenkeel.adapters.pipeline_parameters import typed
from evenkeel.adapters.pipelines import Pipelines
from evenkeel.adapters.source import (
    AccessDenied,
    NotFound,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.web import Web
from evenkeel.outside.pipelines import (
    Begin,
    Follow,
    Gone,
    Pipeline,
    Place,
    Refused,
    Run,
    Stands,
    Stop,
)

from tests.support.pipelines_server import Pipelines as Server
from tests.support.pipelines_server import pipelines_server, spec

NAME = "elec-1 3f0c"
PLACE = Place()
TOKEN = "geheim-1"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with pipelines_server() as made:
        yield made


@pytest.fixture
async def several() -> AsyncIterator[Server]:
    """One with several users, of whom one may touch the profile ml."""
    async with pipelines_server(users={TOKEN: {"ml"}}) as made:
        yield made


@pytest.fixture
async def asked() -> AsyncIterator[Pipelines]:
    reached = Web()
    yield Pipelines(reached)
    await reached.close()


def access(server: Server, token: str = "") -> Access:
    return Access(server.url, authorization=f"Bearer {token}" if token else "")


def begin(server: Server, *parameters: tuple[str, str], **more: Any) -> Begin:
    """Of the pipeline elec, which is uploaded unless it is there."""
    if not server.pipelines:
        server.upload("elec", spec())
    return Begin(NAME, more.pop("place", PLACE), Run(Pipeline(name="elec"), parameters, **more))


async def begun(asked: Pipelines, server: Server, **more: Any) -> Stands:
    found = await asked(begin(server, **more), access(server), None)
    assert isinstance(found, Stands)
    return found


async def test_a_run_is_made_once_and_found_again(asked: Pipelines, server: Server) -> None:
    question = begin(server, root="s3://runs", service_account="trainer", description="for elec-1")
    found = await asked(question, access(server), None)
    (run,) = server.runs.values()
    (version,) = server.versions
    assert found == Stands(run["run_id"], "PENDING", version=version)
    assert (run["display_name"], run["description"]) == (NAME, "for elec-1")
    assert run["runtime_config"] == {"pipeline_root": "s3://runs"}
    assert (run["service_account"], len(server.experiments)) == ("trainer", 1)
    for last in (None, found):
        assert await asked(question, access(server), last) == found
    assert len(server.runs) == 1


async def test_runs_of_other_names_are_others(asked: Pipelines, server: Server) -> None:
    """MySQL compares without case, and there may be runs of every name."""
    found = await begun(asked, server)
    upper = await asked(replace(begin(server), name=NAME.upper()), access(server), None)
    assert upper.run_id != found.run_id  # type: ignore[attr-defined]


async def test_a_lost_answer_makes_no_second_run(asked: Pipelines, server: Server) -> None:
    server.lose = lambda request: request.method == "POST"
    with pytest.raises(Unavailable):
        await begun(asked, server)
    assert len(server.runs) == 1, "it was not sent again by itself"
    server.lose = lambda request: False
    found = await begun(asked, server)
    assert [found.run_id] == [*server.runs]


async def test_of_two_that_were_made_at_once_the_older_stays(
    asked: Pipelines, server: Server
) -> None:
    """Both search before either has made one; whoever asks next, chooses the same."""
    together = asyncio.Barrier(2)
    question = begin(server)

    class Late(Web):
        async def request(self, access: Any, method: str, *rest: Any, **more: Any) -> Any:
            if method == "POST":
                await together.wait()
            return await super().request(access, method, *rest, **more)

    webs = Late(), Late()
    await asyncio.gather(*(Pipelines(one)(question, access(server), None) for one in webs))
    await asyncio.gather(*(one.close() for one in webs))
    first, second = server.named(NAME)
    found = await asked(question, access(server), None)
    assert found.run_id == first["run_id"]  # type: ignore[attr-defined]
    assert server.terminated == [second["run_id"]]
    assert first["state"] == "PENDING"


async def test_one_that_a_late_request_made_is_ended_beside_the_one_that_is_followed(
    asked: Pipelines, server: Server
) -> None:
    found = await begun(asked, server)
    late = server._create(
        {
            "display_name": NAME,
            "pipeline_version_reference": {"pipeline_version_id": found.version},
        },
        set(),
    )
    assert await asked(Follow(NAME, PLACE, found.run_id), access(server), None) == found
    assert server.terminated == [late["run_id"]]


async def test_what_was_there_once_is_not_made_again(asked: Pipelines, server: Server) -> None:
    found = await begun(asked, server)
    server.runs.clear()
    gone = await asked(begin(server), access(server), found)
    assert gone == Gone()
    assert await asked(begin(server), access(server), gone) == Gone()
    assert await asked(Follow(NAME, PLACE, found.run_id), access(server), found) == Gone()
    assert server.runs == {}


async def test_a_run_is_followed_to_its_end(asked: Pipelines, server: Server) -> None:
    found = await begun(asked, server)
    question = Follow(NAME, PLACE, found.run_id)
    for state in ("RUNNING", "PAUSED", "CANCELING"):
        server.becomes(found.run_id, state)
        assert await asked(question, access(server), found) == replace(found, state=state)
    server.becomes(found.run_id, "FAILED", "load-data", "train")
    over = await asked(question, access(server), found)
    assert over.state == "FAILED"  # type: ignore[attr-defined]
    assert over.words == "task load-data failed; task train failed"  # type: ignore[attr-defined]
    assert over.finished.startswith("2026-01-31T09:")  # type: ignore[attr-defined]


async def test_words_of_a_failure_are_the_server_s(asked: Pipelines, server: Server) -> None:
    found = await begun(asked, server)
    server.becomes(found.run_id, "FAILED")
    run = server.runs[found.run_id]
    run["state_history"][-1]["error"] = {"code": 13, "message": "OOM\nKilled"}
    run["run_details"] = {
        "task_details": [
            {"display_name": "root", "state": "FAILED", "child_tasks": [{"pod_name": "p"}]},
            {"display_name": "train", "state": "FAILED", "error": {"message": "exit code 1"}},
            {"display_name": "load", "state": "SUCCEEDED"},
        ]
    }
    over: Any = await asked(Follow(NAME, PLACE, found.run_id), access(server), None)
    assert over.words == "OOM Killed; task train failed: exit code 1"


@pytest.mark.parametrize("finished", ["", "soon", "2026-13-31T09:00:00Z", "1970-01-01T00:00:00Z"])
async def test_what_a_run_says_of_itself_is_taken_with_care(
    asked: Pipelines, server: Server, finished: str
) -> None:
    found = await begun(asked, server)
    run = server.runs[found.run_id]
    run |= {"state": "X" * 999 + TOKEN, "finished_at": finished, "run_details": [TOKEN]}
    run["state_history"] = [{"error": {"message": f"Bearer {TOKEN} was not taken"}}]
    seen: Any = await asked(Follow(NAME, PLACE, found.run_id), access(server, TOKEN), None)
    assert (len(seen.state), seen.finished) == (32, "")
    assert TOKEN not in repr(seen)


async def test_parameters_have_the_types_that_the_pipeline_declares(
    asked: Pipelines, server: Server
) -> None:
    kinds = {
        "c": "NUMBER_DOUBLE",
        "epochs": "NUMBER_INTEGER",
        "fast": "BOOLEAN",
        "layers": "LIST",
        "extra": "STRUCT",
        "name": "STRING",
        "evenkeel_run": "STRING",
        "evenkeel_cause": ("STRUCT", {}),
    }
    server.upload("elec", spec(**kinds))  # type: ignore[arg-type]
    given = [("c", "0.5"), ("epochs", "20"), ("fast", "True"), ("layers", "[1, 2]")]
    given += [("extra", '{"a": 1}'), ("name", "7")]
    facts = (("evenkeel_run", "elec-1"), ("evenkeel_model", "elec"), ("evenkeel_cause", "{}"))
    question = begin(server, *given, facts=facts)
    await asked(question, access(server), None)
    (run,) = server.runs.values()
    assert run["runtime_config"]["parameters"] == {
        "c": 0.5,
        "epochs": 20,
        "fast": True,
        "layers": [1, 2],
        "extra": {"a": 1},
        "name": "7",
        "evenkeel_run": "elec-1",
        "evenkeel_cause": {},
    }


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("NUMBER_DOUBLE", "much", "parameter c: the pipeline wants a number, not 'much'"),
        ("NUMBER_DOUBLE", "nan", "parameter c: JSON has no nan"),
        ("NUMBER_INTEGER", "1.5", "parameter c: the pipeline wants a whole number, not '1.5'"),
        ("BOOLEAN", "yes", "parameter c: the pipeline wants true or false, not 'yes'"),
        ("LIST", "{}", "parameter c: the pipeline wants a JSON list, not '{}'"),
        ("STRUCT", "[", "parameter c: the pipeline wants a JSON object, not '['"),
    ],
)
async def test_a_parameter_of_another_type_is_refused(
    asked: Pipelines, server: Server, kind: str, text: str, words: str
) -> None:
    server.upload("elec", spec(c=kind))
    assert await asked(begin(server, ("c", text)), access(server), None) == Refused(words)
    assert server.runs == {}


def test_a_whole_number_may_be_larger_than_any_float() -> None:
    assert typed({"c": "1" + "0" * 400}, {"c": "NUMBER_INTEGER"}) == {"c": 10**400}


async def test_parameters_that_the_server_refuses_are_told_in_its_words(
    asked: Pipelines, server: Server
) -> None:
    found = await asked(begin(server, ("colour", "red")), access(server), None)
    assert found == Refused("parameter(s) provided are not required by pipeline: colour")
    server.upload("elec", spec(c="NUMBER_DOUBLE"))
    found = await asked(begin(server), access(server), None)
    assert found == Refused(
        "parameter c is not optional, yet has neither default value nor user provided value"
    )


async def test_a_pipeline_with_settings_for_kubernetes_declares_its_parameters_too(
    asked: Pipelines, server: Server
) -> None:
    within = {"pipeline_spec": spec(c="NUMBER_DOUBLE"), "platform_spec": {"platforms": {}}}
    server.upload("elec", within)
    await asked(begin(server, ("c", "1")), access(server), None)
    (run,) = server.runs.values()
    assert run["runtime_config"]["parameters"] == {"c": 1.0}


async def test_the_version_is_the_newest_or_the_one_that_is_named(
    asked: Pipelines, server: Server
) -> None:
    first = server.upload("elec", spec(), "v1")
    second = server.upload("elec", spec(), "v2")
    elec = first["pipeline_id"]
    for pipeline, version in (
        (Pipeline(name="elec"), second),
        (Pipeline(id=elec), second),
        (Pipeline(id=elec, version_id=first["pipeline_version_id"]), first),
        (Pipeline(name="elec", version_name="v1"), first),
    ):
        server.runs.clear()
        found: Any = await asked(Begin(NAME, PLACE, Run(pipeline)), access(server), None)
        assert found.version == version["pipeline_version_id"]


async def test_what_is_not_there_yet_is_waited_for(asked: Pipelines, server: Server) -> None:
    question = Begin(NAME, PLACE, Run(Pipeline(name="elec")))
    with pytest.raises(NotFound, match="0 pipelines are named 'elec'; write the ID"):
        await asked(question, access(server), None)
    made = server.upload("elec", spec())
    missing = Pipeline(id=made["pipeline_id"], version_id="v9")
    with pytest.raises(NotFound, match="PipelineVersion v9 not found"):
        await asked(Begin(NAME, PLACE, Run(missing)), access(server), None)
    with pytest.raises(NotFound, match="0 experiments are named 'nightly'"):
        await asked(replace(question, place=Place(experiment_name="nightly")), access(server), None)
    server.versions.clear()
    with pytest.raises(NotFound, match="has no version; upload one"):
        await asked(question, access(server), None)
    assert server.runs == {}


async def test_names_that_several_have_are_no_names(asked: Pipelines, server: Server) -> None:
    server.upload("elec", spec())
    other = server.upload("other", spec())
    server.pipelines[other["pipeline_id"]]["display_name"] = "elec"
    with pytest.raises(NotFound, match="2 pipelines are named 'elec'"):
        await asked(begin(server), access(server), None)


async def test_the_experiment_is_found_by_name(asked: Pipelines, server: Server) -> None:
    nightly = server.experiment("nightly")
    found = await begun(asked, server, place=Place(experiment_name="nightly"))
    assert server.runs[found.run_id]["experiment_id"] == nightly
    again = await begun(asked, server, place=Place(experiment_id=nightly))
    assert again == found


async def test_with_several_users_a_token_and_an_experiment_are_needed(
    asked: Pipelines, several: Server
) -> None:
    several.experiment("nightly", "ml")
    place = Place(namespace="ml", experiment_name="nightly")
    with pytest.raises(
        AccessDenied, match=r"answered 401: .*User identity is empty.*name a Secret"
    ):
        await asked(begin(several, place=place), access(several), None)
    other = Place(namespace="shop", experiment_name="nightly")
    with pytest.raises(AccessDenied, match=r"answered 403: .*not authorized.*correct the Secret"):
        await asked(begin(several, place=other), access(several, TOKEN), None)
    none = await asked(begin(several, place=Place("ml")), access(several, TOKEN), None)
    assert none == Refused("Experiment id can not be empty in multi-user mode")
    found = await asked(begin(several, place=place), access(several, TOKEN), None)
    assert isinstance(found, Stands)


async def test_a_quota_of_the_cluster_is_told_and_tried_again(
    asked: Pipelines, server: Server
) -> None:
    server.quota = "workflows.argoproj.io is forbidden: exceeded quota: count"
    with pytest.raises(Unavailable, match=r"answered 500: .*exceeded quota: count"):
        await begun(asked, server)
    server.quota = ""
    await begun(asked, server)


@pytest.mark.parametrize("code", [3, 6, 8, 13, 14])
async def test_no_answer_of_a_server_ends_a_run_that_was_there(
    asked: Pipelines, server: Server, code: int
) -> None:
    found = await begun(asked, server)
    status = {3: 400, 6: 409, 8: 429, 13: 500, 14: 503}[code]
    body = {"code": code, "message": "no more today", "details": []}
    server.fault = lambda request: web.json_response(body, status=status)
    with pytest.raises(Unavailable, match="no more today"):
        await asked(Follow(NAME, PLACE, found.run_id), access(server), found)


LOGIN = "<html><form action=/dex/auth>Log in</form></html>"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda: web.Response(text=LOGIN, content_type="text/html"), NotUnderstood, "to log in"),
        (
            lambda: web.Response(status=302, headers={"Location": "https://dex.example/auth?s=1"}),
            Unavailable,
            "302 to https://dex.example/auth: redirects are not followed",
        ),
        (
            lambda: web.Response(status=404, text=LOGIN, content_type="text/html"),
            NotUnderstood,
            "write the address before /apis/v2beta1",
        ),
        (lambda: web.Response(status=503, text="no healthy upstream"), Unavailable, "no healthy"),
        (lambda: web.Response(status=403, text="RBAC: access denied"), AccessDenied, "RBAC"),
        (lambda: web.json_response([]), NotUnderstood, "none of Kubeflow Pipelines'"),
        (lambda: web.json_response({"runs": "x"}), NotUnderstood, "none of Kubeflow Pipelines'"),
        (lambda: web.json_response({"runs": [{"display_name": NAME}]}), NotUnderstood, "an ID"),
        (lambda: web.Response(body=b"[" * (MOST + 1)), NotUnderstood, "larger than 1024 KiB"),
        (lambda: web.Response(body=b"[" * MOST), NotUnderstood, "more objects than are taken"),
    ],
)
async def test_answers_of_others_make_nothing_and_end_nothing(
    asked: Pipelines, server: Server, answer: Any, error: type[SourceError], words: str
) -> None:
    question = begin(server)
    server.fault = lambda request: answer()
    with pytest.raises(error, match=words) as raised:
        await asked(question, access(server, TOKEN), None)
    assert TOKEN not in str(raised.value)
    assert all(request.startswith("GET ") for request in server.requests)


async def test_a_run_is_ended_and_nothing_else(asked: Pipelines, server: Server) -> None:
    found = await begun(asked, server)
    other: Any = await asked(replace(begin(server), name="other"), access(server), None)
    question = Stop(NAME, PLACE, found.run_id)
    assert await asked(question, access(server), None) == replace(found, state="CANCELING")
    assert await asked(question, access(server), None) == replace(found, state="CANCELING")
    assert server.terminated == [found.run_id], "once"
    server.becomes(found.run_id, "CANCELED")
    over: Any = await asked(question, access(server), None)
    assert over.state == "CANCELED"
    assert server.runs[other.run_id]["state"] == "PENDING"


async def test_a_run_whose_creation_was_never_answered_is_ended_by_its_name(
    asked: Pipelines, server: Server
) -> None:
    assert await asked(Stop(NAME, PLACE), access(server), None) == Gone()
    found = await begun(asked, server)
    stopped: Any = await asked(Stop(NAME, PLACE), access(server), None)
    assert (stopped.run_id, stopped.state) == (found.run_id, "CANCELING")


async def test_one_that_ends_while_it_is_to_be_ended_has_ended(
    asked: Pipelines, server: Server
) -> None:
    found = await begun(asked, server)

    def ends(request: web.Request) -> None:
        if request.path.endswith(":terminate"):
            server.becomes(found.run_id, "SUCCEEDED")

    server.fault = ends
    over: Any = await asked(Stop(NAME, PLACE, found.run_id), access(server), None)
    assert (over.state, server.terminated) == ("SUCCEEDED", [])


async def test_the_filter_is_a_predicate_on_the_display_name(
    asked: Pipelines, server: Server
) -> None:
    seen: list[str] = []
    server.fault = lambda request: seen.append(request.query.get("filter", ""))
    await begun(asked, server)
    assert json.loads(seen[0]) == {
        "predicates": [{"key": "display_name", "operation": "EQUALS", "string_value": NAME}]
    }
