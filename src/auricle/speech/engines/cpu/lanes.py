"""Vectors of a processor's full width inside numba kernels, and the tile of a matrix product.

Numba turns loops into vectors on its own, but of half the width on many processors, and it does
not find the instruction that multiplies bytes four at a time (VNNI), which is worth a factor of
four to eight. So kernels here say what they want: :func:`load` numbers from an address, calculate
with ``+ - * /`` and the functions below, :func:`store`. :data:`Lanes` are float32 numbers,
:data:`Whole` int32 numbers; there are :data:`LANES` of them in one.
"""

from __future__ import annotations

import ctypes
import operator
import platform
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, models, overload, register_model

WIDE = frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni"})
NARROW = frozenset({"avx2", "fma", "avxvnni"})
MATRICES = WIDE | {"amx-tile", "amx-int8"}


def _features() -> set[str]:
    """What the processor that numba compiles for can do."""
    if config.CPU_FEATURES is None:
        return {name for name, there in binding.get_host_cpu_features().items() if there}
    return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}


def _width() -> int:
    """Numbers of 32 bits in a vector; 0 if the processor lacks the instructions."""
    has = _features()
    return 16 if has >= WIDE else 8 if has >= NARROW else 0


_HAS_MATRICES = _features() >= MATRICES


def _granted() -> bool:
    """Ask Linux for the registers of AMX, which it gives to processes that ask (its
    Documentation/arch/x86/xstate.rst)."""
    if platform.system() != "Linux":
        return False
    arch_prctl, request, tile_data = 158, 0x1023, 18
    return bool(ctypes.CDLL(None).syscall(arch_prctl, request, tile_data) == 0)


USES_MATRICES = _HAS_MATRICES and _granted()
"""Whether products of matrices go through AMX. Kernels are told so at each call: they are compiled
for a processor and kept, and another process may not be given its registers."""

SUPPORTED = _width() > 0
"""Whether this processor has the instructions that the kernels are made of."""

LANES = _width() or 8

PANEL = 64
"""Outputs of a tile."""

TILE = 6
"""Rows of a tile: with all of a panel, as many sums as a processor with AVX-512 has registers."""

MATRIX = 16
"""Rows of a tile of AMX."""
MATRIX_STEPS = 16
"""Four inputs each that it takes at a time."""

_ENCODED = "llvm.x86.avx512.vpdpbusd.{}"

_FLOAT, _INT, _LONG, _BYTE = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(8)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_BYTES = ir.VectorType(_BYTE, LANES)
_QUADS = ir.VectorType(_BYTE, 4 * LANES)
_FAST = ("fast",)

Build = Callable[..., Any]


class _LanesType(types.Type):  # type: ignore[misc]
    """The type of :data:`Lanes` in numba."""


class _WholeType(types.Type):  # type: ignore[misc]
    """The type of :data:`Whole` in numba."""


Lanes, Whole = _LanesType("Lanes"), _WholeType("Whole")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


@register_model(_WholeType)
class _WholeModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _INTS)


def _splat(builder: Any, number: Any, kind: Any) -> Any:
    """The same number in every lane."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INT, 0))
    places = ir.Constant(ir.VectorType(_INT, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, nothing, places)


def _call(builder: Any, name: str, returns: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(returns, [each.type for each in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    fast = _FAST if returns in (_FLOAT, _FLOATS) else ()
    return builder.call(function, arguments, fastmath=fast)


def _unary(takes: Any, returns: Any, build: Build) -> Any:
    """A function of one argument, by what makes its code."""

    @intrinsic
    def made(typing: Any, one: Any) -> Any:
        return returns(takes), lambda context, builder, signature, args: build(builder, *args)

    return made


def _floats(name: str) -> Any:
    """LLVM's function for each lane of one vector."""
    vector = f"llvm.{name}.v{LANES}f32"
    return _unary(Lanes, Lanes, lambda builder, one: _call(builder, vector, _FLOATS, [one]))


def _mixed(build: Build) -> Any:
    """A function of two vectors, or of a vector and a number."""

    @intrinsic
    def made(typing: Any, one: Any, other: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors = [
                each if kind is Lanes else _splat(builder, each, _FLOATS)
                for each, kind in zip(args, signature.args, strict=True)
            ]
            return build(builder, *vectors)

        kinds = [Lanes if kind is Lanes else types.float32 for kind in (one, other)]
        return Lanes(*kinds), generate

    return made


def _operator(symbol: Any, name: str) -> None:
    """Teach numba an operator between vectors."""
    made = _mixed(lambda builder, one, other: getattr(builder, name)(one, other, flags=_FAST))

    @overload(symbol, inline="always")
    def chosen(one, other):  # type: ignore[no-untyped-def]
        if Lanes not in {one, other}:
            return None
        return lambda one, other: made(one, other)  # noqa: PLW0108  (numba asks for the names)


_operator(operator.add, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")

rint = _floats("rint")
absolute = _floats("fabs")


def _of_two(name: str) -> Any:
    vector = f"llvm.{name}.v{LANES}f32"
    return _mixed(lambda builder, one, other: _call(builder, vector, _FLOATS, [one, other]))


maximum = _of_two("maxnum")
copysign = _of_two("copysign")

splat = _unary(types.float32, Lanes, lambda builder, one: _splat(builder, one, _FLOATS))


def _total(builder: Any, one: Any) -> Any:
    zero = ir.Constant(_FLOAT, 0.0)
    return _call(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", _FLOAT, [zero, one])


def _largest(builder: Any, one: Any) -> Any:
    return _call(builder, f"llvm.vector.reduce.fmax.v{LANES}f32", _FLOAT, [one])


total = _unary(Lanes, types.float32, _total)
largest = _unary(Lanes, types.float32, _largest)

whole = _unary(Lanes, Whole, lambda builder, one: builder.fptosi(one, _INTS))
"""Without what follows the point."""


def _nearest(builder: Any, one: Any) -> Any:
    if LANES == 8:
        return _call(builder, "llvm.x86.avx.cvt.ps2dq.256", _INTS, [one])
    as_it_rounds = ir.Constant(_INT, 4)
    every = ir.Constant(ir.IntType(16), -1)
    name = "llvm.x86.avx512.mask.cvtps2dq.512"
    return _call(builder, name, _INTS, [one, _constant(0), every, as_it_rounds])


nearest = _unary(Lanes, Whole, _nearest)
"""The nearest whole numbers."""


def _constant(number: int) -> Any:
    return ir.Constant(_INTS, [number] * LANES)


as_float = _unary(Whole, Lanes, lambda builder, one: builder.bitcast(one, _FLOATS))
"""The same bits."""


def _mantissa(builder: Any, one: Any) -> Any:
    bits = builder.and_(builder.bitcast(one, _INTS), _constant(0x007FFFFF))
    return builder.bitcast(builder.or_(bits, _constant(0x3F800000)), _FLOATS)


mantissa = _unary(Lanes, Lanes, _mantissa)
"""From 1 to 2: each number without its sign and its power of two."""

offset = _unary(Whole, Whole, lambda builder, one: builder.add(one, _constant(128)))
"""From -128..127 to 0..255."""

whole_total = _unary(
    Whole,
    types.int32,
    lambda builder, one: _call(builder, f"llvm.vector.reduce.add.v{LANES}i32", _INT, [one]),
)


@intrinsic
def whole_sum(typing: Any, one: Any, other: Any) -> Any:
    """The sum of two vectors."""
    return Whole(Whole, Whole), lambda context, builder, signature, args: builder.add(*args)


def _address(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder: Any, address: Any, kind: Any = _FLOATS, align: int = 4) -> Any:
    found = builder.load(_address(builder, address, kind))
    found.align = align
    return found


def _store(builder: Any, vector: Any, address: Any, align: int = 4) -> None:
    builder.store(vector, _address(builder, address, vector.type)).align = align


load = _unary(types.int64, Lanes, _load)
"""Numbers from an address."""


@intrinsic
def store(typing: Any, address: Any, vector: Any) -> Any:
    """Write numbers to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, args[1], args[0])
        return context.get_dummy_value()

    return types.void(types.int64, Lanes), generate


@intrinsic
def store_number(typing: Any, address: Any, number: Any) -> Any:
    """Write one number to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _address(builder, args[0], _FLOAT))
        return context.get_dummy_value()

    return types.void(types.int64, types.float32), generate


@intrinsic
def store_bytes(typing: Any, address: Any, vector: Any) -> Any:
    """Write the lowest byte of each number to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, builder.trunc(args[1], _BYTES), args[0], align=1)
        return context.get_dummy_value()

    return types.void(types.int64, Whole), generate


_SHORTS = ir.VectorType(ir.IntType(16), 2 * LANES)


def _packed(builder: Any, name: str, kind: Any, one: Any, other: Any) -> Any:
    """The numbers of two vectors in half the bits, in turns: four, or eight, of each."""
    whole_name = f"llvm.x86.avx512.{name}.512" if LANES == 16 else f"llvm.x86.avx2.{name}"
    return _call(builder, whole_name, kind, [one, other])


@intrinsic
def store_halves(
    typing: Any, high: Any, low: Any, one: Any, two: Any, three: Any, four: Any
) -> Any:
    """Write the high and the low bytes of numbers of 16 bits to two addresses.

    They come in turns: the first four of each vector, then the second four, and so on.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = [_packed(builder, "packusdw", _SHORTS, *args[n : n + 2]) for n in (2, 4)]
        eight, byte = (ir.Constant(_SHORTS, [number] * 2 * LANES) for number in (8, 255))
        for address, half in (
            (args[0], [builder.lshr(pair, eight) for pair in pairs]),
            (args[1], [builder.and_(pair, byte) for pair in pairs]),
        ):
            _store(builder, _packed(builder, "packuswb", _QUADS, *half), address, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, Whole, Whole, Whole, Whole), generate


@intrinsic
def store_quads(
    typing: Any, address: Any, one: Any, two: Any, three: Any, four: Any, added: Any
) -> Any:
    """Write numbers from -128 to 127 as bytes, with ``added``, 0 or 128, added."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = [_packed(builder, "packssdw", _SHORTS, *args[n : n + 2]) for n in (1, 3)]
        found = builder.bitcast(_packed(builder, "packsswb", _QUADS, *pairs), _INTS)
        parts = LANES // 4
        places = [n % parts * 4 + n // parts for n in range(LANES)]
        order = ir.Constant(ir.VectorType(_INT, LANES), places)
        found = builder.shuffle_vector(found, ir.Constant(_INTS, ir.Undefined), order)
        bits = _splat(builder, builder.trunc(args[5], _BYTE), _QUADS)
        _store(builder, builder.xor(builder.bitcast(found, _QUADS), bits), args[0], align=1)
        return context.get_dummy_value()

    return types.void(types.int64, Whole, Whole, Whole, Whole, types.int64), generate


@intrinsic
def set_byte(typing: Any, address: Any, vector: Any, number: Any) -> Any:
    """Write the lowest byte of each number as that byte, 0 to 3, of each number at an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.shl(builder.trunc(args[2], _INT), ir.Constant(_INT, 3))
        bits = _splat(builder, bits, _INTS)
        others = builder.not_(builder.shl(_constant(255), bits))
        byte = builder.shl(builder.and_(args[1], _constant(255)), bits)
        there = builder.and_(_load(builder, args[0], _INTS), others)
        _store(builder, builder.or_(there, byte), args[0])
        return context.get_dummy_value()

    return types.void(types.int64, Whole, types.int64), generate


@intrinsic
def times_power(typing: Any, vector: Any, exponent: Any) -> Any:
    """``vector * 2**exponent`` for whole exponents, by the bits of a float."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.shl(builder.fptosi(args[1], _INTS), _constant(23))
        return builder.bitcast(builder.add(builder.bitcast(args[0], _INTS), bits), _FLOATS)

    return Lanes(Lanes, Lanes), generate


def _columns(rows: int) -> int:
    """Vectors of a panel that are summed at once, so that the sums stay in registers."""
    return PANEL // LANES if LANES == 16 or rows == 1 else 2 if rows == TILE else 4


class _Tile:
    """Writes the code of one tile: rows of ``a`` times a panel of ``b``."""

    def __init__(self, builder: Any, rows: int, *, quads: bool, arguments: tuple[Any, ...]) -> None:
        self._builder, self._rows, self._quads = builder, rows, quads
        (self._a, self._a_step, self._b, self._steps, self._start) = arguments[:5]
        (self._row_scales, self._scales, self._bias, self._out, self._out_step) = arguments[5:10]
        self._adds = arguments[10]

    def write(self) -> None:
        columns = _columns(self._rows)
        for first in range(0, PANEL // LANES, columns):
            self._finish(self._products(first, columns), first)

    def _at(self, address: Any, vector: int) -> Any:
        return self._builder.add(address, ir.Constant(_LONG, 4 * LANES * vector))

    def _every_row(self, address: Any, step: Any) -> list[Any]:
        places = [address]
        for _ in range(1, self._rows):
            places.append(self._builder.add(places[-1], step))
        return places

    def _products(self, first: int, columns: int) -> list[list[Any]]:
        """The loop over what ``a`` and ``b`` share; returns the sums by row and vector."""
        builder, zero = self._builder, ir.Constant(_LONG, 0)
        kind = _INTS if self._quads else _FLOATS
        begins = [
            _load(builder, self._at(self._start, first + n), kind)
            if self._quads
            else ir.Constant(kind, [0.0] * LANES)
            for n in range(columns)
        ]
        rows = self._every_row(self._a, self._a_step)
        before = builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        step, place = builder.phi(_LONG), builder.phi(_LONG)
        sums = [[builder.phi(kind) for _ in range(columns)] for _ in range(self._rows)]
        panel = [_load(builder, self._at(place, first + n), kind) for n in range(columns)]
        at = builder.shl(step, ir.Constant(_LONG, 2))
        added = [
            self._add(builder.add(rows[m], at), panel, sums[m], kind) for m in range(self._rows)
        ]
        following = builder.add(step, ir.Constant(_LONG, 1))
        below = builder.add(place, ir.Constant(_LONG, 4 * PANEL))
        builder.cbranch(builder.icmp_signed("<", following, self._steps), loop, after)
        for phi, begin, end in ((step, zero, following), (place, self._b, below)):
            phi.add_incoming(begin, before)
            phi.add_incoming(end, loop)
        for m in range(self._rows):
            for n in range(columns):
                sums[m][n].add_incoming(begins[n], before)
                sums[m][n].add_incoming(added[m][n], loop)
        builder.position_at_end(after)
        return added

    def _add(self, address: Any, panel: list[Any], sums: list[Any], kind: Any) -> list[Any]:
        builder = self._builder
        same = _splat(builder, _load(builder, address, _INT if self._quads else _FLOAT), kind)
        if not self._quads:
            name = f"llvm.fma.v{LANES}f32"
            return [
                _call(builder, name, _FLOATS, [same, part, so_far])
                for part, so_far in zip(panel, sums, strict=True)
            ]
        name, same = _ENCODED.format(32 * LANES), builder.bitcast(same, _QUADS)
        return [
            _call(builder, name, _INTS, [so_far, same, builder.bitcast(part, _QUADS)])
            for part, so_far in zip(panel, sums, strict=True)
        ]

    def _finish(self, sums: list[list[Any]], first: int) -> None:
        """Scale, add the bias and what was there, and write."""
        builder = self._builder
        vectors = range(len(sums[0]))
        scales = [_load(builder, self._at(self._scales, first + n)) for n in vectors]
        bias = [_load(builder, self._at(self._bias, first + n)) for n in vectors]
        outs = self._every_row(self._out, self._out_step)
        row_scales = self._every_row(self._row_scales, ir.Constant(_LONG, 4))
        for row, scale, out in zip(sums, row_scales, outs, strict=True):
            places = [self._at(out, first + n) for n in vectors]
            _finish_row(builder, row, scale, scales, bias, places, self._adds)


def _finish_row(
    builder: Any, sums: list[Any], row_scale: Any, scales: list[Any], bias: list[Any],
    places: list[Any], adds: Any,
) -> None:  # fmt: skip
    """Scale a row's sums, add the bias and what was there if ``adds``, and write."""
    scale = _splat(builder, _load(builder, row_scale, _FLOAT), _FLOATS)
    found = []
    for one, factor, more in zip(sums, scales, bias, strict=True):
        number = builder.sitofp(one, _FLOATS) if one.type == _INTS else one
        both = builder.fmul(scale, factor, flags=_FAST)
        found.append(_call(builder, f"llvm.fma.v{LANES}f32", _FLOATS, [number, both, more]))
    some = builder.icmp_signed("!=", adds, ir.Constant(_LONG, 0))
    with builder.if_else(some) as (then, otherwise):
        with then:
            for place, each in zip(places, found, strict=True):
                there = _load(builder, place)
                _store(builder, builder.fadd(there, each, flags=_FAST), place)
        with otherwise:
            for place, each in zip(places, found, strict=True):
                _store(builder, each, place)


def _tile(rows: int, *, quads: bool) -> Any:
    @intrinsic
    def tile(
        typing: Any, a: Any, a_step: Any, b: Any, steps: Any, start: Any, row_scales: Any,
        scales: Any, bias: Any, out: Any, out_step: Any, adds: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _Tile(builder, rows, quads=quads, arguments=args).write()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 11), generate

    return tile


byte_tile = _tile(TILE, quads=True)
"""``out[m, n] = (start[n] + sum(a[m, k] * b[k, n])) * row_scales[m] * scales[n] + bias[n]``

for :data:`TILE` rows and a panel; all arguments are addresses or counts. ``a``: rows of uint8,
``a_step`` bytes apart. ``b``: int8 ``[steps, 64, 4]``, four of what is summed next to each other.
``start``: int32 [64]. ``row_scales``, ``scales``, ``bias``, ``out``: float32, rows of ``out`` are
``out_step`` bytes apart; with ``adds`` not 0 the result is added to what is there.
"""

byte_row = _tile(1, quads=True)
"""The same for one row."""

byte_pair = _tile(2, quads=True)
"""The same for two rows."""

float_tile = _tile(TILE, quads=False)
"""The same for float32: ``b`` is ``[steps, 64]``, and nothing is read from ``start``."""

float_row = _tile(1, quads=False)
"""The same for one row."""


class _Matrix:
    """Writes the code of a tile for AMX: the same as :class:`_Tile` for :data:`MATRIX` rows.

    Four registers hold sums, one the rows, and one what they are multiplied by. There are two more,
    but where another thread shares the core, a processor waits for registers that are used in turn
    (docs/experiments.md).
    """

    _ROWS, _WEIGHTS = 4, 5

    def __init__(self, builder: Any, arguments: tuple[Any, ...]) -> None:
        self._builder, self._arguments = builder, arguments
        room = ir.ArrayType(_INT, MATRIX * PANEL)
        self._room = cgutils.alloca_once(builder, room)
        self._room.align = 64

    def write(self) -> None:
        builder, (a, a_step, b, steps) = self._builder, self._arguments[:4]
        columns = range(PANEL // LANES)
        for n in columns:
            self._do("tilezero", n)
        before = builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        step, row, panel = builder.phi(_LONG), builder.phi(_LONG), builder.phi(_LONG)
        self._do("tileloadd64", self._ROWS, row, a_step)
        for n in columns:
            self._do("tileloadd64", self._WEIGHTS, self._at(panel, n), self._line)
            self._do("tdpbusd", n, self._ROWS, self._WEIGHTS)
        following = builder.add(step, ir.Constant(_LONG, MATRIX_STEPS))
        right = builder.add(row, ir.Constant(_LONG, 4 * MATRIX_STEPS))
        below = builder.add(panel, ir.Constant(_LONG, 4 * PANEL * MATRIX_STEPS))
        builder.cbranch(builder.icmp_signed("<", following, steps), loop, after)
        zero = ir.Constant(_LONG, 0)
        for phi, begin, end in ((step, zero, following), (row, a, right), (panel, b, below)):
            phi.add_incoming(begin, before)
            phi.add_incoming(end, loop)
        builder.position_at_end(after)
        room = builder.ptrtoint(self._room, _LONG)
        for n in columns:
            self._do("tilestored64", n, self._at(room, n), self._line)
        self._finish(room)

    def _finish(self, room: Any) -> None:
        """What is done to the sums of any tile, row by row."""
        builder, (start, row_scales, scales, bias, out, out_step, adds, skip) = (
            self._builder,
            self._arguments[4:],
        )
        columns = range(PANEL // LANES)
        starts = [_load(builder, self._at(start, n), _INTS) for n in columns]
        factors = [_load(builder, self._at(scales, n)) for n in columns]
        more = [_load(builder, self._at(bias, n)) for n in columns]
        one, last = ir.Constant(_LONG, 1), ir.Constant(_LONG, MATRIX)
        with cgutils.for_range_slice(builder, skip, last, one) as (number, _):
            place = builder.add(room, builder.mul(number, self._line))
            sums = [
                builder.add(_load(builder, self._at(place, n), _INTS), starts[n]) for n in columns
            ]
            row_scale = builder.add(row_scales, builder.mul(number, ir.Constant(_LONG, 4)))
            to = builder.add(out, builder.mul(number, out_step))
            places = [self._at(to, n) for n in columns]
            _finish_row(builder, sums, row_scale, factors, more, places, adds)

    @property
    def _line(self) -> Any:
        """Bytes from one line of a panel to the next."""
        return ir.Constant(_LONG, 4 * PANEL)

    def _at(self, address: Any, vector: int) -> Any:
        return self._builder.add(address, ir.Constant(_LONG, 4 * LANES * vector))

    def _do(self, name: str, *operands: Any) -> None:
        """An instruction; numbers are registers, the first of what follows is an address."""
        builder = self._builder
        given = [ir.Constant(_BYTE, each) for each in operands if isinstance(each, int)]
        rest = [each for each in operands if not isinstance(each, int)]
        if rest:
            given += [_address(builder, rest[0], _BYTE), rest[1]]
        _call(builder, f"llvm.x86.{name}", ir.VoidType(), given)


@intrinsic
def matrix_tile(
    typing: Any, a: Any, a_step: Any, b: Any, steps: Any, start: Any, row_scales: Any,
    scales: Any, bias: Any, out: Any, out_step: Any, adds: Any, skip: Any,
) -> Any:  # fmt: skip
    """The same as :data:`byte_tile` for :data:`MATRIX` rows, of which the first ``skip`` are not
    written; ``steps`` is a multiple of :data:`MATRIX_STEPS`. Between :func:`begin_matrices` and
    :func:`end_matrices`, and only if :data:`USES_MATRICES`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _HAS_MATRICES:
            _Matrix(builder, args).write()
        return context.get_dummy_value()

    return types.void(*[types.int64] * 12), generate


_SHAPES = bytes([1, *[0] * 15, *[64, 0] * 8, *[0] * 16, *[MATRIX] * 8, *[0] * 8])
"""All eight registers: 16 rows of 64 bytes."""


@intrinsic
def begin_matrices(typing: Any) -> Any:
    """Take AMX's registers, for this thread."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _HAS_MATRICES:
            shapes = cgutils.global_constant(
                builder, "matrix_shapes", ir.Constant(ir.ArrayType(_BYTE, 64), bytearray(_SHAPES))
            )
            place = builder.bitcast(shapes, _BYTE.as_pointer())
            _call(builder, "llvm.x86.ldtilecfg", ir.VoidType(), [place])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def end_matrices(typing: Any) -> Any:
    """Give them back."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _HAS_MATRICES:
            _call(builder, "llvm.x86.tilerelease", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def keep(typing: Any, arrays: Any) -> Any:
    """Does nothing, but has numba keep a tuple of arrays until here: it frees an array after its
    last use, and does not know that its address is one."""
    return types.void(arrays), lambda context, *rest: context.get_dummy_value()


@intrinsic
def pointer(typing: Any, address: Any) -> Any:
    """An address as a pointer to anything."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate
