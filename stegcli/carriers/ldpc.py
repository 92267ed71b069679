"""A repeat-accumulate code for soft bits, decoded by the sum-product algorithm. Part of the file format.

    K bits ──> each in three checks or more ──> M sums, each accumulating all before ──> K + M coded bits

Low-density parity checks with a staircase for the parities (H. Jin, A. Khandekar and R. McEliece, "Irregular
repeat-accumulate codes", 2000), which needs no generator matrix; the number of checks per bit follows
the codes of DVB-S2 (ETSI EN 302 307-1, 5.3.2). The graph is drawn from a public stream with integer
arithmetic alone: K and the number of places determine it. The decoder computes in floating point, and may
need more or fewer iterations on different machines, but what counts as a codeword does not differ.

No library is used: those with soft decoding and wheels for the three systems also depend on a simulator of
quantum circuits and a test runner, and decode syndromes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from stegcli.carriers.keyed_order import subkey
from stegcli.carriers.scatter import embedding_groups
from stegcli.carriers.streams import Keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bits = NDArray[np.uint8]
    F32 = NDArray[np.float32]
    I32 = NDArray[np.int32]

__all__ = ["MAX_RATE_PER_MILLE", "Code", "Decoded", "code_for"]

MAX_RATE_PER_MILLE: Final = 880
_LEAST_RATE: Final = 4
"""A code of a rate below 1/4 is a code of rate 1/4 whose bits are repeated."""
_LEAST_DEGREE: Final = 3

_SHAPES: Final = (
    (290, 2, 12),
    (360, 3, 12),
    (450, 4, 12),
    (560, 5, 8),
    (630, 8, 12),
    (710, 8, 13),
    (780, 12, 12),
    (820, 16, 11),
    (870, 20, 13),
    (MAX_RATE_PER_MILLE, 25, 11),
)
"""Largest rate in thousandths, message bits in each check, and checks of a frequently checked bit."""

_UNTANGLING: Final = 64
_CERTAIN: Final = np.float32(30)
_SATURATED: Final = np.float32(1 - 1e-6)
_ITERATIONS: Final = 80
_HOPE_AFTER: Final = 16
_HOPELESS: Final = 0.16
"""Share of failed checks after that many iterations from which no word was ever seen to converge."""


@dataclass(frozen=True)
class Decoded:
    """Result of decoding soft bits.

    Attributes:
        bits: (K,) uint8, the likeliest message.
        is_codeword: whether every check holds.
        iterations: number until it was found, or until the decoder gave up.
    """

    bits: Bits
    is_codeword: bool
    iterations: int


@dataclass(frozen=True, eq=False)
class Code:
    """A code of `message_bits` for `places`; see `code_for`.

    Attributes:
        message_bits: K.
        places: n, at least the number of coded bits; place i holds coded bit i mod (K + M).
        checked: (a, M) int32, the message bits in each check.
        by_bit: (a M,) int32, the edges, numbered row by row in `checked`, sorted by message bit.
        first_edge: (K,) int64, where each message bit begins in `by_bit`.
    """

    message_bits: int
    places: int
    checked: I32
    by_bit: I32
    first_edge: NDArray[np.int64]

    @property
    def checks(self) -> int:
        """Number of checks, M."""
        return int(self.checked.shape[1])

    def encode(self, message: Bits) -> Bits:
        """Encode a message, (K,) uint8 -> (n,) uint8."""
        sums = np.bitwise_xor.reduce(message[self.checked], axis=0)
        coded = np.concatenate([message, np.bitwise_xor.accumulate(sums)])
        return np.resize(coded, self.places)

    def decode(self, soft: F32, iterations: int = _ITERATIONS) -> Decoded:
        """Decode soft bits with the sum-product algorithm.

        Args:
            soft: (n,) float32, the logarithm of P(bit = 0) / P(bit = 1) at each place.
            iterations: largest number of iterations.
        """
        channel = self._gathered(soft)
        state = _Messages.fresh(self)
        for iteration in range(1, iterations + 1):
            state.pass_on(self, channel)
            failed = state.failed_share(self)
            if failed == 0 or (iteration >= _HOPE_AFTER and failed > _HOPELESS):
                break
        message = (state.beliefs[: self.message_bits] < 0).astype(np.uint8)
        return Decoded(message, failed == 0, iteration)

    def _gathered(self, soft: F32) -> F32:
        """(n,) -> (K + M,): add up the places of each coded bit."""
        length = self.message_bits + self.checks
        whole = len(soft) // length * length
        total = soft[:whole].reshape(-1, length).sum(axis=0)
        total[: len(soft) - whole] += soft[whole:]
        bounded: F32 = np.clip(total, -_CERTAIN, _CERTAIN)
        return bounded


@dataclass
class _Messages:
    """State of the sum-product algorithm.

    Attributes:
        beliefs: (K + M,) float32, log-odds of each coded bit.
        answers: (a + 2, M) float32, messages of each check to its message bits, its parity and the last one.
    """

    beliefs: F32
    answers: F32

    @classmethod
    def fresh(cls, code: Code) -> _Messages:
        degree, checks = code.checked.shape
        return cls(
            np.zeros(code.message_bits + checks, np.float32), np.zeros((degree + 2, checks), np.float32)
        )

    def pass_on(self, code: Code, channel: F32) -> None:
        """Pass messages from all bits to all checks and back."""
        if not self.answers.any():
            self.beliefs = channel
        said = self._seen(code) - self.answers
        np.clip(said, -_CERTAIN, _CERTAIN, out=said)
        np.multiply(said, np.float32(0.5), out=said)
        np.tanh(said, out=said)
        self.answers = _but_own(said)
        np.clip(self.answers, -_SATURATED, _SATURATED, out=self.answers)
        np.arctanh(self.answers, out=self.answers)
        self.answers *= np.float32(2)
        self.answers[-1, 0] = 0  # there is no parity before the first
        self.beliefs = channel + self._sums_of_messages(code)

    def _seen(self, code: Code) -> F32:
        """(a + 2, M): the beliefs about the bits of each check."""
        parities = self.beliefs[code.message_bits :]
        seen = np.empty_like(self.answers)
        np.take(self.beliefs, code.checked, out=seen[:-2])
        seen[-2] = parities
        seen[-1, 0] = _CERTAIN
        seen[-1, 1:] = parities[:-1]
        return seen

    def _sums_of_messages(self, code: Code) -> F32:
        """(K + M,): the sum of the messages of all checks to each bit."""
        heard = np.empty_like(self.beliefs)
        of_messages = self.answers[:-2].ravel()[code.by_bit]
        heard[: code.message_bits] = np.add.reduceat(of_messages, code.first_edge)
        parities = heard[code.message_bits :]
        parities[:] = self.answers[-2]
        parities[:-1] += self.answers[-1, 1:]
        return heard

    def failed_share(self, code: Code) -> float:
        """Share of the checks that fail."""
        hard = self.beliefs < 0
        parities = hard[code.message_bits :]
        odd = np.bitwise_xor.reduce(hard[code.checked], axis=0) ^ parities
        odd[1:] ^= parities[:-1]
        return float(odd.mean())


def _but_own(factors: F32) -> F32:
    """(d, M) -> (d, M): the product of all other rows."""
    others = np.empty_like(factors)
    others[0] = 1
    for row in range(1, len(factors)):
        np.multiply(others[row - 1], factors[row - 1], out=others[row])
    behind = factors[-1].copy()
    for row in range(len(factors) - 2, -1, -1):
        others[row] *= behind
        behind *= factors[row]
    return others


@lru_cache(maxsize=4)
def code_for(message_bits: int, places: int) -> Code:
    """Return the code for a number of message bits and a number of places.

    Raises:
        ValueError: there are no message bits, or the rate exceeds `MAX_RATE_PER_MILLE`.
    """
    if message_bits < 1 or 1000 * message_bits > MAX_RATE_PER_MILLE * places:
        raise ValueError(f"no code fits {message_bits} bits into {places} places")
    coded = min(places, _LEAST_RATE * message_bits)
    checked = _graph(message_bits, coded - message_bits)
    edges = checked.ravel()
    by_bit = np.argsort(edges, kind="stable").astype(np.int32)
    first_edge = np.searchsorted(edges[by_bit], np.arange(message_bits))
    return Code(message_bits, places, checked, by_bit, first_edge.astype(np.int64))


def _graph(message_bits: int, checks: int) -> I32:
    """(a, M) int32: the message bits that each check adds up, each bit at least three times."""
    rate = 1000 * message_bits // (message_bits + checks)
    _, per_check, often = next(shape for shape in _SHAPES if rate <= shape[0])
    per_check = max(per_check, -(-_LEAST_DEGREE * message_bits // checks))
    edges = per_check * checks
    degrees = _degrees(message_bits, edges, often)
    listed = np.repeat(np.arange(message_bits, dtype=np.int32), degrees)
    purpose = b"ldpc/" + message_bits.to_bytes(4, "big") + checks.to_bytes(4, "big")
    public = Keys(b"", b"", subkey(bytes(32), purpose))
    order = embedding_groups(edges, edges, 1, public)[:, 0]
    return _without_repeats(listed[order].reshape(per_check, checks))


def _degrees(message_bits: int, edges: int, often: int) -> NDArray[np.int64]:
    """(K,) int64 with sum `edges`: the first bits are checked `often` times, the others three times."""
    degrees = np.full(message_bits, _LEAST_DEGREE, dtype=np.int64)
    extra = edges - _LEAST_DEGREE * message_bits
    frequent = min(extra // (often - _LEAST_DEGREE), message_bits)
    degrees[:frequent] = often
    extra -= frequent * (often - _LEAST_DEGREE)
    rest = degrees[frequent:] if frequent < message_bits else degrees
    rest += extra // len(rest)
    rest[: extra % len(rest)] += 1
    return degrees


def _without_repeats(checked: I32) -> I32:
    """Return the same edges, with repeated bits in a check exchanged as far as a few rounds achieve it."""
    rows, checks = checked.shape
    for turn in range(1, _UNTANGLING + 1):
        order = np.argsort(checked, axis=0, kind="stable")
        ranked = np.take_along_axis(checked, order, axis=0)
        again, columns = np.nonzero(ranked[1:] == ranked[:-1])
        if not len(columns):
            break
        for row, column in zip(order[again + 1, columns], columns, strict=True):
            other = (int(column) * 7 + 977 * turn + 1) % checks
            held = checked[(row + turn) % rows, other]
            checked[(row + turn) % rows, other] = checked[row, column]
            checked[row, column] = held
    return checked
