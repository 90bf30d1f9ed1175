"""Numbers, money and times as people write them (CLDR, by Babel)."""

import re
from datetime import date, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date as _date
from babel.dates import format_datetime as _datetime
from babel.lists import format_list as _list
from babel.numbers import format_currency, format_decimal, get_currency_precision

_SPACING = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
"""Where CLDR puts a space between letters of a currency and digits (UTS #35, "Currencies"), which
Babel leaves out."""


def format_number(value: int | float | Decimal, locale: str) -> str:
    """``1234.5`` is ``1,234.5``, ``1.234,5`` …"""
    return str(format_decimal(value, locale=locale))


def format_money(minor: int, currency: str, locale: str) -> str:
    """An amount in minor units of an ISO 4217 currency: 1234 EUR is 12.34 €, 1234 JPY is ¥1,234."""
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    return _SPACING.sub("\xa0", str(format_currency(amount, currency, locale=locale)))


def format_time(moment: datetime, locale: str, zone: str | tzinfo = "UTC") -> str:
    """A moment as the clock on the reader's wall shows it, with its zone."""
    place = ZoneInfo(zone) if isinstance(zone, str) else zone
    return str(_datetime(moment, "d MMMM y HH:mm zzz", tzinfo=place, locale=locale))


def format_day(day: date, locale: str) -> str:
    return str(_date(day, "full", locale=locale))


def format_names(names: list[str], locale: str) -> str:
    """``a, b and c``."""
    return str(_list(names, locale=locale)) if names else ""
