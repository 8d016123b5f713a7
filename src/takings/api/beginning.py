"""Begin a shop: with one's own files, or with a sample to try things on."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from takings.composition.sample_shops import Generated, ShopFormat, ShopPlan, generate_shop
from takings.errors import UnknownThing, UsageError

if TYPE_CHECKING:
    from takings.composition.adopting import Adoption


def adopt(files: str | Path | Sequence[str | Path], *, profile: str | None = None) -> Adoption:
    """Look at a shop's own files, and propose how to read them; nothing is written.

    Name at least one file of each kind. The answer's `profile` is the shipped one that reads them all, if there is one;
    otherwise `texts` are the contracts that are proposed. `missing` says what the KPIs lack. `try_out()` runs the proposal over
    copies of the files, and `write(store)` makes the store. `profile` names whose exports they are, instead of finding out.

    UnknownThing where there is no such file, UsageError where one is no CSV file or not of the profile, SettingsError for an
    unknown profile.

    >>> import takings
    >>> exports = takings.generate("exports", 20, format="shopify", flat=True).files
    >>> adoption = takings.adopt(exports)
    >>> adoption.profile, adoption.missing
    ('shopify', ())
    """
    from takings.composition.adopting import adopt_files

    paths = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    for file in paths:
        if file.is_dir():
            raise UsageError(f"{file} is a folder. Name the files in it: {file}/*.csv.")
        if not file.is_file():
            raise UnknownThing(f"{file} is not a file.")
    if len({file.name for file in paths}) < len(paths):
        raise UsageError("two of the files have the same name. Rename one of them.")
    return adopt_files(paths, profile)


def generate(
    directory: str | Path,
    orders: int,
    *,
    seed: int = 1,
    days: int = 90,
    parts: int = 1,
    format: ShopFormat | str = ShopFormat.PLAIN,  # noqa: A002 - as the command's option is called
    dirty: Decimal | str | int = 0,
    flat: bool = False,
) -> Generated:
    """Make a sample shop's drops in a folder, such as shop/raw-data; the same arguments make the same bytes.

    There are about three items per order, over a number of `days`; `parts` is the number of files of orders, and of items.
    `format` is one of plain, thelook, shopify, woocommerce and olist, `dirty` the percentage of damaged records. `flat` puts
    all files into the folder itself. UsageError for a shop that cannot be.

    >>> import takings
    >>> made = takings.generate("sample/raw-data", 20, days=7)
    >>> made.orders, [file.parent.name for file in made.files]
    (20, ['products', 'orders', 'order-items'])
    >>> takings.open("sample").run(now=True).incomplete.days
    {}
    """
    plan = ShopPlan(orders=orders, seed=seed, days=days, parts=parts, format=_format(format), dirty=_percent(dirty))
    return generate_shop(Path(directory), plan, flat=flat)


def _format(name: ShopFormat | str) -> ShopFormat:
    try:
        return ShopFormat(name)
    except ValueError as unknown:
        raise UsageError(f"there is no format '{name}'. Write one of {', '.join(ShopFormat)}.") from unknown


def _percent(written: Decimal | str | int) -> Decimal:
    try:
        return Decimal(str(written).removesuffix("%"))
    except InvalidOperation as wrong:
        raise UsageError(f"dirty '{written}' is not a percentage. Write a number such as 5 or 0.5.") from wrong
