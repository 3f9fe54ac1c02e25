"""Safe expressions over keys and results: `mxu.rows * pe.word_bits`, `area <= 5`.

A text is parsed and its tree turned, node by node, into nested functions; whatever is not in this grammar is refused,
and nothing is ever handed to eval.

    + - * / // % **     == != < <= > >= (chained)     and or not     A if B else C
    abs ceil floor lcm log2 max min round sqrt        numbers, 'texts', true, false, none, names such as mxu.rows
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.errors import InputError, Place, shortened

Value = Any
"""bool, int, float, str, None, or a list that came out of a config."""
Lookup = Callable[[str], Value]
Function = Callable[[Lookup], Value]

GRAMMAR = (
    "numbers, names, + - * / // % **, comparisons, and, or, not, if-else, abs ceil floor lcm log2 max min round sqrt"
)
LONGEST_TEXT = 1000
LARGEST_TREE = 200
"""Nodes, and so the depth; deeper trees than this could exhaust the stack."""
LARGEST_BITS = 4096
"""Of an integer power."""
LARGEST_VALUE_BITS = 1023
"""Of an integer that comes out: one that a float can hold too."""


def _rounded(value: int | float) -> int:
    """To the nearest whole number, halves to the even one; decimals are not asked for."""
    return round(value)


_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "none": None}
_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "lcm": math.lcm,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": _rounded,
    "sqrt": math.sqrt,
}
_COMPARISONS: dict[type, Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its text, the names in it, and what it computes."""

    text: str
    names: frozenset[str]
    function: Function
    field: str

    def __call__(self, lookup: Lookup) -> Value:
        """The value, with `lookup` giving that of every name.

        Raises
        ------
        InputError
            Where the value does not exist: a division by zero, arithmetic on a text, a number too large.
        """
        try:
            value = self.function(lookup)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise self._refused(str(error.args[-1])) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refused("not a finite number")
        if isinstance(value, int) and value.bit_length() > LARGEST_VALUE_BITS:
            raise self._refused(f"a whole number of more than {LARGEST_VALUE_BITS} bits")
        return value

    def _refused(self, problem: str) -> InputError:
        return InputError(problem, field=self.field, facts={"expression": self.text})


def parse(text: str, field: str, place: Place | None = None) -> Expression:
    """Read an expression.

    Raises
    ------
    InputError
        For text that is none, with what is allowed.
    """
    names: set[str] = set()
    try:
        if len(text) > LONGEST_TEXT:
            raise _RefusedError(f"longer than {LONGEST_TEXT} characters")
        with warnings.catch_warnings(action="ignore"):  # Python's own, such as on `1if`
            tree = ast.parse(text.strip(), mode="eval")
        if sum(1 for _ in ast.walk(tree)) > LARGEST_TREE:
            raise _RefusedError(f"more than {LARGEST_TREE} parts")
        function = _function(tree.body, names)
    except (_RefusedError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        refused = f": {error}" if isinstance(error, _RefusedError) else ""
        problem = f"not an expression{refused}"
        facts = {"expression": shortened(text), "allowed": GRAMMAR}
        raise InputError(problem, place=place, field=field, facts=facts) from None
    return Expression(text, frozenset(names), function, field)


class _RefusedError(Exception):
    """A part of Python that is not part of an expression."""


def _function(node: ast.expr, names: set[str]) -> Function:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return lambda look: value
        case ast.Name() | ast.Attribute():
            return _name(_dotted(node), names)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            negated = _function(inner, names)
            return lambda look: not negated(look)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
            operand, factor = _function(inner, names), -1 if isinstance(sign, ast.USub) else 1
            return lambda look: factor * _number(operand(look))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            first, second, combine = _function(left, names), _function(right, names), _ARITHMETIC[type(op)]
            return lambda look: combine(_number(first(look)), _number(second(look)))
        case ast.BoolOp(op=joint, values=values):
            parts = [_function(value, names) for value in values]
            decisive = isinstance(joint, ast.Or)
            return lambda look: _joined(decisive, parts, look)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            condition, then, otherwise = (_function(part, names) for part in (test, body, orelse))
            return lambda look: then(look) if condition(look) else otherwise(look)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARISONS for op in ops):
            sides = [_function(side, names) for side in (left, *others)]
            tests = [_COMPARISONS[type(op)] for op in ops]
            return lambda look: _chained(tests, sides, look)
        case ast.Call(func=ast.Name(id=called), args=arguments, keywords=[]) if called in _FUNCTIONS and arguments:
            inputs, compute = [_function(argument, names) for argument in arguments], _FUNCTIONS[called]
            return lambda look: compute(*(_number(one(look)) for one in inputs))
    raise _RefusedError(f"`{ast.unparse(node)}`")


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner, attr=name):
            return f"{_dotted(inner)}.{name}"
    raise _RefusedError(f"`{ast.unparse(node)}`")


def _name(name: str, names: set[str]) -> Function:
    if name in _CONSTANTS:
        return lambda look: _CONSTANTS[name]
    names.add(name)
    return lambda look: look(name)


def _number(value: Value) -> int | float:
    if not isinstance(value, int | float):
        raise TypeError(f"{'none' if value is None else repr(value)} is not a number")
    return value


def _joined(decisive: bool, parts: list[Function], look: Lookup) -> Value:
    """The first value that decides an `and` or `or`, else the last; what comes after it is not computed."""
    value = None
    for part in parts:
        value = part(look)
        if bool(value) is decisive:
            break
    return value


def _chained(tests: list[Callable[[Value, Value], bool]], sides: list[Function], look: Lookup) -> bool:
    """Whether every test holds; what comes after the first that does not is not computed."""
    value = sides[0](look)
    for test, side in zip(tests, sides[1:], strict=True):
        before, value = value, side(look)
        if not test(before, value):
            return False
    return True


def _power(base: int | float, exponent: int | float) -> Value:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > LARGEST_BITS:
        raise OverflowError(f"more than {LARGEST_BITS} bits")
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError("root of a negative number")
    return result


_ARITHMETIC: dict[type, Callable[[Any, Any], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
