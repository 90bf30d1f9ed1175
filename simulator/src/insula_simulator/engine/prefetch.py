"""A word to the processor: this row will be needed soon. It goes on meanwhile, and many rows can be
on their way at a time, where reading one after the other would wait for each."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

_READ, _KEEP, _DATA = 0, 3, 1


def _prefetch(typing_context: Any, array: Any, row: Any) -> Any:
    if not isinstance(array, types.Array) or not isinstance(row, types.Integer):
        return None

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index = signature.args
        view = context.make_array(kind)(context, builder, arguments[0])
        at = context.cast(builder, arguments[1], index, types.intp)
        indices = [at] + [context.get_constant(types.intp, 0)] * (kind.ndim - 1)
        place = _compiling.get_item_pointer(context, builder, kind, view, indices)
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        asked = _compiling.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer, word, word, word]),
            "llvm.prefetch.p0",
        )  # fmt: skip
        how = [ir.Constant(word, each) for each in (_READ, _KEEP, _DATA)]
        builder.call(asked, [builder.bitcast(place, pointer), *how])
        return context.get_dummy_value()

    return types.void(array, row), emit


_compiling: Any = cgutils  # which has no types
prefetch: Any = intrinsic(_prefetch)
"""``prefetch(array, row)``; the row must be one of the array's."""
