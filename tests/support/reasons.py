"""Every reason that the operator's source can give to a condition, an Event or a rollout.

Found in the syntax trees: whatever is passed as an argument named `reason`, by position or by
keyword, to a function or record of the source, and whatever is assigned to a name `reason`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

CAMEL = re.compile(r"[A-Z][A-Za-z0-9]+")
STATUSES = {"True", "False", "Unknown"}
FIELDS = {"reason", "outcome", "phase", "stage"}
"""Arguments that are reasons, or become one later."""
LITERALS = {"CanaryStage"}
"""Literal types whose values become reasons."""


class Emitted(NamedTuple):
    """A reason as it stands in the source; `where` is FILE:LINE, `callee` what it is passed to."""

    reason: str
    where: str
    callee: str


class _Module(NamedTuple):
    path: Path
    tree: ast.Module
    constants: Mapping[str, ast.expr]


def emitted(package: Path) -> set[Emitted]:
    """All reasons in the package's source. An f-string gives a pattern, with * for what varies."""
    modules = [_module(path) for path in sorted(package.rglob("*.py"))]
    constants = {name: value for module in modules for name, value in module.constants.items()}
    positions = _positions(modules)
    found: set[Emitted] = set()
    for module in modules:
        where = module.path.relative_to(package)
        for node, names in _scoped(module.tree, constants):
            for callee, value in _values(node, positions):
                for text in _texts(value, names):
                    if CAMEL.fullmatch(text.replace("*", "X")) and text not in STATUSES:
                        found.add(Emitted(text, f"{where}:{value.lineno}", callee))
    return found


def _scoped(
    tree: ast.Module, constants: Mapping[str, ast.expr]
) -> Iterator[tuple[ast.AST, Mapping[str, list[ast.expr]]]]:
    """Every node with what its function assigns to names; module constants are known everywhere."""
    outside: dict[str, list[ast.expr]] = {k: [v] for k, v in constants.items()}
    inner: set[int] = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = dict(outside)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for name, value in _pairs(target, node.value):
                        names[name] = [*names.get(name, ()), value]
        for node in ast.walk(function):
            inner.add(id(node))
            yield node, names
    yield from ((node, outside) for node in ast.walk(tree) if id(node) not in inner)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=names), ast.Tuple(elts=values):
            for one, its in zip(names, values, strict=False):
                yield from _pairs(one, its)


def _module(path: Path) -> _Module:
    tree = ast.parse(path.read_text())
    constants: dict[str, ast.expr] = {}
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Constant() | ast.Dict() as value
            ):
                constants[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict() as value):
                constants[name] = value
    return _Module(path, tree, constants)


def _positions(modules: list[_Module]) -> dict[str, set[tuple[int, str]]]:
    """By callee: where and under which name it takes a reason. Positions leave `self` out."""
    found: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for node in (node for module in modules for node in ast.walk(module.tree)):
        match node:
            case ast.ClassDef(name=name):
                fields = [
                    statement.target.id
                    for statement in node.body
                    if isinstance(statement, ast.AnnAssign)
                    and isinstance(statement.target, ast.Name)
                ]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                fields = [a.arg for a in every if a.arg not in ("self", "cls")]
            case _:
                continue
        found[name] |= {(i, field) for i, field in enumerate(fields) if field in FIELDS}
    return found


def _values(
    node: ast.AST, positions: Mapping[str, set[tuple[int, str]]]
) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            for position, field in positions.get(name, ()):
                if position < len(node.args):
                    yield name, node.args[position]
                yield from ((name, k.value) for k in node.keywords if k.arg == field)
        case ast.NamedExpr(target=ast.Name(id="reason"), value=value):
            yield "reason", value
        case ast.Assign(targets=targets, value=value):
            for name, its in (pair for target in targets for pair in _pairs(target, value)):
                if name == "reason" or name in LITERALS:
                    yield name, its
        case ast.AnnAssign(target=ast.Name(id="reason"), value=ast.expr() as value):
            yield "reason", value


def _texts(value: ast.expr, names: Mapping[str, list[ast.expr]]) -> Iterator[str]:
    """The strings that the expression can be, as far as it tells."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name) if name in names:
            others = {k: v for k, v in names.items() if k != name}
            for one in names[name]:
                yield from _texts(one, others)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body, names)
            yield from _texts(orelse, names)
        case ast.BoolOp(values=values) | ast.Tuple(elts=values):
            for one in values:
                yield from _texts(one, names)
        case ast.Dict(values=values):
            for one in values:
                yield from _texts(one, names)
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name) as table, attr="get"), args=[_, *default]
        ) if any(isinstance(one, ast.Dict) for one in names.get(name, ())):
            for one in (table, *default):
                yield from _texts(one, names)
        case ast.Subscript(value=ast.Name(id=name) as table) if name in names:
            yield from _texts(table, names)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=literals):
            yield from _texts(literals, names)
        case ast.JoinedStr(values=parts):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in parts)
