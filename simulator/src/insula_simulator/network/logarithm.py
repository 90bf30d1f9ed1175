"""The natural logarithm, in a form of which the processor does several at a time where a loop does
little else. The C library's is a call for each. It is the same on every machine."""

import numpy as np

from insula_simulator.engine.compiled import compiled

_ROOT_HALF = 0x3FE6A09E667F3BCD
"""The square root of 1/2, as bits."""
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@compiled
def logarithm(x: float) -> float:
    """Of a normal number above 0, within a unit in the last place: the method and the polynomial of
    FreeBSD's and fdlibm's ``e_log.c`` (K. C. Ng), without its branches."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _ROOT_HALF) >> 52
    f = np.int64(bits - (exponent << 52)).view(np.float64) - 1.0
    k = float(exponent)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (
        3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)
    )
    odd = z * (
        6.666666666666735130e-01
        + w
        * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    log: float = k * _LN2_HIGH - ((half - (s * (half + even + odd) + k * _LN2_LOW)) - f)
    return log
