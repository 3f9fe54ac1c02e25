"""Work in hand is an attribute, never a local: no local of a process survives a yield.

Fast-forward compares relative states, and a local that lives across a yield is state it cannot see (so is the iterator
of a `for` with a yield inside, and whatever an expression holds while it yields). The walk is a liveness analysis of
the syntax trees: a local, or a parameter but `self`, that is read after a yield before it is written again is an
offence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sim

ROOT = Path(sim.__file__).parent
FOLDERS = ("engine", "units")
Names = frozenset[str]
NOTHING: Names = frozenset()
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
YIELDS = (ast.Yield, ast.YieldFrom, ast.Await)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without what runs in a scope of its own: functions and comprehensions."""
    yield node
    if not isinstance(node, (*FUNCTIONS, *COMPREHENSIONS)):
        for child in ast.iter_child_nodes(node):
            yield from own_nodes(child)


def read_names(node: ast.AST) -> set[str]:
    """Names read at a node or below it, in functions defined there too, but not a comprehension's own."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
        return {node.id}
    found = set().union(*map(read_names, ast.iter_child_nodes(node)), set())
    if isinstance(node, COMPREHENSIONS):
        found -= {name.id for part in node.generators for name in ast.walk(part.target) if isinstance(name, ast.Name)}
    return found


def yields(node: ast.AST) -> bool:
    return any(isinstance(inner, YIELDS) for inner in own_nodes(node))


def generators(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(yields(statement) for statement in node.body):
            yield node


class Liveness:
    """Which locals are still to be read, going backwards through one generator function."""

    def __init__(self, function: ast.FunctionDef) -> None:
        arguments = function.args
        named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        self.locals = {argument.arg for argument in named if argument} - {"self"} | {
            node.id
            for statement in function.body
            for node in own_nodes(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        self.locals |= {
            node.name
            for statement in function.body
            for node in own_nodes(statement)
            if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name
        }
        self.offences: set[tuple[int, str]] = set()
        self.loops: list[tuple[Names, Names]] = []
        """Live at the start, and after the end, of the loops around."""
        self.block(function.body, NOTHING)

    def reads(self, *nodes: ast.AST | None) -> Names:
        found = set().union(*(read_names(node) for node in nodes if node is not None), set())
        return frozenset(found & self.locals)

    def writes(self, *nodes: ast.AST) -> Names:
        return frozenset(
            inner.id
            for node in nodes
            for inner in own_nodes(node)
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
        )

    def offend(self, node: ast.AST, what: str) -> None:
        self.offences.add((node.lineno, what))  # type: ignore[attr-defined]

    def block(self, statements: list[ast.stmt], after: Names) -> Names:
        for statement in reversed(statements):
            after = self.statement(statement, after)
        return after

    def statement(self, node: ast.stmt, after: Names) -> Names:
        match node:
            case ast.If():
                self.no_yield_inside(node.test)
                return self.block(node.body, after) | self.block(node.orelse, after) | self.reads(node.test)
            case ast.While():
                self.no_yield_inside(node.test)
                forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
                out = NOTHING if forever else self.block(node.orelse, after)
                return self.loop(node.body, out | self.reads(node.test), after)
            case ast.For():
                if yields(node):
                    self.offend(node, "the iterator of a for")
                start = self.loop(node.body, self.block(node.orelse, after) | self.reads(node.target), after)
                return (start - self.writes(node.target)) | self.reads(node.iter)
            case ast.Match():
                self.no_yield_inside(node.subject)
                cases = [self.block(case.body, after) | self.reads(case.guard) for case in node.cases]
                captured = [n.name for case in node.cases for n in ast.walk(case.pattern) if hasattr(n, "name")]
                return (after.union(*cases) - {name for name in captured if name}) | self.reads(node.subject)
            case ast.With() | ast.Try() | ast.TryStar() | ast.AsyncFor() | ast.AsyncWith():
                if yields(node):
                    self.offend(node, f"a {type(node).__name__.lower()} around a yield")
                return after | self.reads(node)
            case ast.FunctionDef() | ast.ClassDef():
                return (after - {node.name}) | self.reads(node)
            case ast.Break():
                return self.loops[-1][1]
            case ast.Continue():
                return self.loops[-1][0]
            case ast.Return() | ast.Raise():
                self.no_yield_inside(node)
                return self.reads(node)
        return self.plain(node, after)

    def loop(self, body: list[ast.stmt], out: Names, after: Names) -> Names:
        """Live at a loop's head, where `out` is live when it is left there."""
        head = out
        while True:
            self.loops.append((head, after))
            grown = out | self.block(body, head)
            self.loops.pop()
            if grown == head:
                return head
            head = grown

    def plain(self, node: ast.stmt, after: Names) -> Names:
        before = after - self.writes(node)
        if yields(node):
            value = getattr(node, "value", None)
            alone = isinstance(node, (ast.Expr, ast.Assign)) and isinstance(value, YIELDS)
            if not alone or any(yields(child) for child in ast.iter_child_nodes(value)):
                self.offend(node, "an expression around a yield")
            for name in before:
                self.offend(node, name)
        targets = [node.target] if isinstance(node, ast.AugAssign) else []
        augmented = {target.id for target in targets if isinstance(target, ast.Name)}
        return before | self.reads(node) | (augmented & self.locals)

    def no_yield_inside(self, node: ast.AST) -> None:
        if yields(node):
            self.offend(node, "an expression around a yield")


def offences(text: str) -> dict[str, set[str]]:
    """What survives a yield, by generator function."""
    found = {}
    for function in generators(ast.parse(text)):
        kept = Liveness(function).offences
        if kept:
            found[f"{function.name}:{min(kept)[0]}"] = {what for _, what in kept}
    return found


FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_local_survives_a_yield(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == {}


def test_the_walk_sees_the_processes_of_all_units() -> None:
    seen = {
        (path.stem, function.name)
        for path in FILES
        for function in generators(ast.parse(path.read_text(encoding="utf-8")))
    }
    with_process = (
        "bpc",
        "buffer",
        "collector",
        "controller",
        "loader",
        "mxu",
        "vector",
        "weight_dispatcher",
        "writer",
    )
    assert {(unit, "run") for unit in (*with_process, "activation_dispatcher")} <= seen
    assert {("mxu", "beat_compute"), ("weight_dispatcher", "tile_rest"), ("bpc", "beat_emit")} <= seen


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("item", "item = self.pop()\nyield 1\nself.use(item)"),
        ("left", "left = 3\nwhile left:\n    yield 1\n    left -= 1"),
        ("rows", "yield rows\nself.use(rows)"),
        ("options", "yield 1\nself.use(**options)"),
        ("the iterator of a for", "for self.row in range(3):\n    yield self.row"),
        ("row", "for row in range(3):\n    yield row\n    self.use(row)"),
        ("a with around a yield", "with self.port:\n    yield 1"),
        ("a try around a yield", "try:\n    yield 1\nfinally:\n    self.close()"),
        ("an expression around a yield", "self.total += yield 1"),
        ("an expression around a yield", "self.use(self.pop(), (yield 1))"),
        ("an expression around a yield", "while (yield 1):\n    pass"),
        ("an expression around a yield", "yield (yield 1)"),
        ("item", "item = 1\nyield from self.work()\nreturn item"),
        ("item", "item = 1\nif self.full:\n    yield 1\nself.use(item)"),
        ("item", "while True:\n    if self.full:\n        self.use(item)\n    item = self.pop()\n    yield 1"),
        ("item", "item = 1\nwhile True:\n    yield 1\n    if self.full:\n        break\nself.use(item)"),
        ("item", "while True:\n    item = 1\n    yield 1\n    if self.full:\n        continue\n    self.use(item)"),
        ("item", "item = 1\nyield 1\nself.call(lambda: item)"),
        ("item", "item = 1\nyield 1\nself.values = [item for _ in range(3)]"),
        ("item", "match self.pop():\n    case [item]:\n        yield 1\n        self.use(item)"),
        ("first", "first, self.rest = self.pop()\nyield 1\nself.use(first)"),
        ("total", "total = 0\nyield 1\ntotal += 1"),
        ("item", "if item := self.pop():\n    yield 1\n    self.use(item)"),
    ],
)
def test_planted_offenders_are_found(what: str, body: str) -> None:
    assert what in set().union(*offences(process(body)).values(), set())


@pytest.mark.parametrize(
    "body",
    [
        "item = self.pop()\nself.use(item)\nyield 1",
        "item = self.pop()\nyield self.put(item)",
        "yield 1\nitem = self.pop()\nself.use(item)",
        "while self.left:\n    step = self.next()\n    self.use(step)\n    yield 1",
        "self.values = [value * 2 for value in self.values]\nyield sum(x for x in self.values)",
        "yield 1\nself.values = [value * 2 for value in self.values]",
        "for value in self.values:\n    self.use(value)\nyield 1",
        "self.answer = yield 1",
        "item = 1\nif self.full:\n    yield item\nelse:\n    self.use(item)",
        "item = 1\nyield 1\nitem = 2\nself.use(item)",
        "while True:\n    item = 1\n    if self.full:\n        self.use(item)\n        break\n    yield 1",
    ],
)
def test_locals_that_do_not_survive_are_left_alone(body: str) -> None:
    assert offences(process(body)) == {}


def process(body: str) -> str:
    indented = "\n".join(f"        {line}" for line in body.splitlines())
    return f"class Planted:\n    def run(self, rows, *, item=None, **options):\n{indented}\n"
