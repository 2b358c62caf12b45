"""The docs are true: every setting, command, queue, job and Redis key stands in them."""

from collections.abc import Iterator
from dataclasses import fields

import click

from inventory.verbs import ALL_KEYS
from runtime import outbox
from runtime.settings import Settings
from storefront.cli import main
from tests.shop import ROOT


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_setting_is_described_with_its_default() -> None:
    text = _read("docs/settings.md")
    for field in fields(Settings):
        default = f"`{field.default}`" if field.default not in ("", b"") else ""
        line = f"| `HAOKA_{field.name.upper()}` | {default} | {field.metadata['doc']} |"
        assert line in text, line
    assert text.count("| `HAOKA_") == len(fields(Settings))


def test_every_command_is_described() -> None:
    text = _read("docs/ops.md")
    assert [path for path in _commands(main, "haoka") if path not in text] == []


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_queue_is_described_and_has_a_worker() -> None:
    text, procfile = _read("docs/ops.md"), _read("Procfile")
    for queue in outbox.QUEUES:
        assert f"| `{queue}` |" in text
        assert f"{queue}: haoka worker {queue}\n" in procfile


def test_every_redis_key_is_described() -> None:
    text = _read("docs/redis.md")
    rows = [line for line in text.splitlines() if line.startswith("| `{tag}")]
    described = {row.split("`")[1].removeprefix("{tag}:").removeprefix("DROP:") for row in rows}
    assert described == set(ALL_KEYS)


def test_the_readme_names_the_two_commands_and_its_pictures_exist() -> None:
    text = _read("README.md")
    assert "bin/run" in text
    assert "bin/test" in text
    pictures = [part.split(")")[0] for part in text.split("](docs/pictures/")[1:]]
    assert len(pictures) >= 4
    for picture in pictures:
        assert (ROOT / "docs/pictures" / picture).stat().st_size > 5_000


def test_every_link_between_the_docs_leads_somewhere() -> None:
    for page in ("README.md", "ARCHITECTURE.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))):
        for link in _read(page).split("](")[1:]:
            target = link.split(")")[0].split("#")[0]
            if target and "://" not in target:
                assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_every_code_is_described_with_its_status() -> None:
    from storefront.problems import STATUS

    described = {}
    for line in _read("docs/api.md").splitlines():
        if line.startswith("| `"):
            codes, status = line.split("|")[1:3]
            described.update({code.strip().strip("`"): int(status) for code in codes.split(",")})
    assert described == {code: status for code, status in STATUS.items() if code != "fact"}


def test_every_order_state_is_described() -> None:
    from checkout.moves import MOVES

    text = _read("docs/api.md")
    assert [state for state in MOVES if f"`{state}`" not in text and state != "created"] == []
