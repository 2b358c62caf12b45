"""A catalogue from rows over an older one: fields converted, references and rules checked, and what changes by it."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from checkout.catalogue_fields import FIELDS, KEYS, Unfit, retires
from checkout.catalogue_rows import Row
from checkout.catalogue_shape import THINGS, Catalogue, Grade, Policy, Promotion, Thing
from checkout.prices import whole_yuan
from runtime.facts import N_, Invalid, fill

_RETIRED = "retired"
_SHOWN = 200  # faults told at once


class Change(msgspec.Struct, frozen=True):
    """What becomes of one thing: added | changed | retired. `fields`: name, before, after."""

    thing: str
    code: str
    what: str
    fields: tuple[tuple[str, str, str], ...] = ()


def merged(base: Catalogue, rows: Iterable[Row]) -> Catalogue:
    """The rows over the older catalogue: what a row names is added or changed, a field it leaves out stays as it was,
    what no row names stays, and `retired` takes a thing out. Raises Invalid with a sentence for each fault."""
    found: dict[str, dict[str, Thing]] = {thing: dict(base.of(thing)) for thing in THINGS}
    where: dict[tuple[str, str], str] = {}
    errors: dict[str, str] = {}
    for row in rows:
        _take(row, found, where, errors)
    result = Catalogue(**found)  # type: ignore[arg-type]
    _check(result, where, errors)
    if errors:
        raise Invalid(**dict(list(errors.items())[:_SHOWN]))
    return result


def changes(before: Catalogue, after: Catalogue) -> list[Change]:
    """Thing by thing, in the catalogue's order."""
    found = []
    for thing in THINGS:
        old, new = before.of(thing), after.of(thing)
        for code in [*old, *(code for code in new if code not in old)]:
            if code not in new:
                found.append(Change(thing, code, "retired"))
            elif code not in old:
                found.append(Change(thing, code, "added", _facts(new[code])))
            elif old[code] != new[code]:
                found.append(Change(thing, code, "changed", _differing(old[code], new[code])))
    return found


def _take(
    row: Row, found: dict[str, dict[str, Thing]], where: dict[tuple[str, str], str], errors: dict[str, str]
) -> None:
    fields, values, said, out = FIELDS[row.thing], dict[str, Any](), dict[str, Any](), False
    faults: dict[str, str] = {}
    for name, value in row.fields.items():
        try:
            if name == _RETIRED:
                out = retires(value)
            elif name in fields:
                said[name] = fields[name].convert(value)
                if fields[name].into:
                    values[fields[name].into] = said[name]
            else:
                faults[name] = fill(
                    N_("A {thing} has no such field; it has: {known}."),
                    thing=row.thing,
                    known=", ".join(fields),
                )
        except Unfit as fault:
            faults[name] = fault.fix
    for name in KEYS[row.thing]:
        if name not in row.fields:
            faults[name] = N_("Say which: this field is missing.")
    if not faults:
        code = ":".join(str(said[name]) for name in KEYS[row.thing])
        known = found[row.thing].get(code)
        if (row.thing, code) in where:
            faults[KEYS[row.thing][0]] = fill(
                N_("{code} stands in {where} already; remove one of the two."),
                code=code,
                where=where[row.thing, code],
            )
        elif out and known is None:
            faults[_RETIRED] = fill(N_("There is no {code} in the catalogue to take out."), code=code)
        elif out:
            del found[row.thing][code]
        else:
            _put(row, code, known, values, said, found, faults)
        where.setdefault((row.thing, code), row.where)
    errors.update({f"{row.where}, {name}": fix for name, fix in faults.items()})


def _put(
    row: Row, code: str, known: Thing | None, values: dict[str, Any], said: dict[str, Any],
    found: dict[str, dict[str, Thing]], faults: dict[str, str],
) -> None:  # fmt: skip
    if row.thing == "policy":
        _complete(known, values, said, faults)
    if known is None:
        wanted = msgspec.structs.fields(THINGS[row.thing])
        missing = {one.name for one in wanted if one.required} - values.keys()
        for name, field in FIELDS[row.thing].items():
            if field.into in missing:
                faults[name] = N_("This field is missing.")
        if not faults:
            found[row.thing][code] = THINGS[row.thing](**values)
    elif not faults:
        found[row.thing][code] = msgspec.structs.replace(known, **values)


def _complete(
    known: Thing | None, values: dict[str, Any], said: dict[str, Any], faults: dict[str, str]
) -> None:
    """A contract's prestore follows from a package price, and its return from the prestore (DOMAIN 3.3)."""

    def now(name: str) -> Any:
        return values.get(name, getattr(known, name, None))

    if (package := said.get("package")) is not None and (price := now("price_fen")) is not None:
        prestore = values.setdefault("prestore_fen", package - price)
        if price + prestore != package:
            faults["package"] = N_("Price and prestored credit must add up to the package price.")
    if now("kind") == "credit":
        values.setdefault("prestore_fen", 0)
    elif "prestore_fen" in values and "return_fen" not in values and now("months"):
        values["return_fen"] = whole_yuan(max(0, values["prestore_fen"]), now("months"))


def _check(made: Catalogue, where: Mapping[tuple[str, str], str], errors: dict[str, str]) -> None:
    """References between things, and the rules of each (DOMAIN 3, invariants 7 and 8)."""

    def fault(thing: str, code: str, field: str, fix: str) -> None:
        errors.setdefault(f"{where.get((thing, code), f'{thing} {code}')}, {field}", fix)

    for sku in made.sku.values():
        _refer(made, "sku", sku.code, "handset", (sku.handset,), fault)
    for policy in made.policy.values():
        for name in ("handset", "plan"):
            _refer(made, "policy", policy.code, name, (getattr(policy, name),), fault)
        for field, fix in _policy_faults(policy):
            fault("policy", policy.code, field, fix)
    for promotion in made.promotion.values():
        _refer(made, "promotion", promotion.code, "plan", promotion.plans, fault)
        _refer(made, "promotion", promotion.code, "handset", promotion.handsets, fault)
        for field, fix in _promotion_faults(promotion):
            fault("promotion", promotion.code, field, fix)
    for grade in made.grade.values():
        for field, fix in _grade_faults(grade):
            fault("grade", grade.code, field, fix)


def _refer(made: Catalogue, thing: str, code: str, to: str, codes: tuple[str, ...], fault: Any) -> None:
    for one in codes:
        if one not in made.of(to):
            fix = N_("There is no {to} {one} in the catalogue; add it, or take this out as well.")
            fault(thing, code, to, fill(fix, to=to, one=one))


def _policy_faults(policy: Policy) -> Iterable[tuple[str, str]]:
    if policy.prestore_fen < 0:
        yield "package", N_("The handset's price is above the package price.")
    elif policy.kind == "prestore" and policy.return_fen * policy.months > policy.prestore_fen:
        yield "return", N_("The monthly returns must not exceed the prestored credit.")
    if policy.kind == "credit" and policy.prestore_fen:
        yield "prestore", N_("With a credit contract nothing is prestored; leave it out or write 0.")


def _promotion_faults(promotion: Promotion) -> Iterable[tuple[str, str]]:
    if promotion.kind in ("discount", "credit") and not promotion.amount_fen:
        yield "amount", N_("Say how much, in yuan.")
    if promotion.starts_at and promotion.ends_at and promotion.starts_at >= promotion.ends_at:
        yield "ends", N_("It ends before it starts.")


def _grade_faults(grade: Grade) -> Iterable[tuple[str, str]]:
    if grade.grade == 9 and (grade.prestore_fen or grade.spend_fen or grade.months):
        yield "grade", N_("Grade 9 is the ordinary number, which asks for nothing.")
    if grade.prestore_fen and not grade.months:
        yield "months", N_("The prestored credit comes back over the term; say how many months.")


def _facts(thing: Thing) -> tuple[tuple[str, str, str], ...]:
    names = (one.name for one in msgspec.structs.fields(thing) if one.name not in ("code", "grade"))
    return tuple((name, "", _shown(name, getattr(thing, name))) for name in names if getattr(thing, name))


def _differing(old: Thing, new: Thing) -> tuple[tuple[str, str, str], ...]:
    both = ((one.name, getattr(old, one.name), getattr(new, one.name)) for one in msgspec.structs.fields(new))
    return tuple((name, _shown(name, was), _shown(name, now)) for name, was, now in both if was != now)


def _shown(name: str, value: Any) -> str:
    """Money in yuan, lists with spaces."""
    if name.endswith("_fen"):
        return f"{value // 100}.{value % 100:02}"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
