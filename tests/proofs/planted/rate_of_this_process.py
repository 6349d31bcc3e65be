"""A rate that one message sets in the process and another one reads: only a crash between them shows."""

from __future__ import annotations

from attrs import field

from actorflow import Refused, entity, query, signal, update
from tests.proofs import ledger

SAYS = "what handlers remember belongs in fields"


@entity
class Planted:
    cents: int = 0

    @signal
    def set_rate(self, currency: str, rate: int) -> None:
        ledger.set_rate(currency, rate)

    @update
    def pay(self, currency: str, amount: int) -> int:
        try:
            self.cents += amount * ledger.rate(currency)
        except KeyError:
            raise Refused("there is no such rate") from None
        return self.cents

    @query
    def balance(self) -> int:
        return self.cents


@entity
class Mended:
    cents: int = 0
    rates: dict[str, int] = field(factory=dict[str, int])

    @signal
    def set_rate(self, currency: str, rate: int) -> None:
        self.rates[currency] = rate

    @update
    def pay(self, currency: str, amount: int) -> int:
        if currency not in self.rates:
            raise Refused("there is no such rate")
        self.cents += amount * self.rates[currency]
        return self.cents

    @query
    def balance(self) -> int:
        return self.cents
