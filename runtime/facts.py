"""Facts: business outcomes raised as exceptions. One table in the storefront gives each its status and page."""

from typing import Any, ClassVar


def N_(text: str) -> str:  # noqa: N802 - gettext's own name
    """Mark a sentence for translation where it is written; it is translated where it is shown."""
    return text


class Filled(str):
    """An English sentence with its {values} filled in, that can still be put into another language."""

    template: str
    values: dict[str, object]


def fill(text: str, **values: object) -> Filled:
    """An N_ sentence with its {values}."""
    made = Filled(text.format(**values))
    made.template, made.values = text, values
    return made


class Fact(Exception):
    """An outcome people are told about. `code` is stable for machines, `text` is the English sentence,
    `details` go into problem+json as they are, so they never hold personal data."""

    code: ClassVar[str] = "fact"
    text: ClassVar[str] = N_("This cannot be done.")

    def __init__(self, text: str | None = None, **details: Any) -> None:
        self.sentence = text or self.text
        self.details = details
        super().__init__(self.sentence)


class Invalid(Fact):
    """Input that cannot be used: one sentence for each field, naming the fix."""

    code = "invalid"
    text = N_("Please check the marked fields.")

    def __init__(self, **errors: str) -> None:
        super().__init__(errors=errors)
        self.errors = errors

    def __str__(self) -> str:
        return "; ".join(f"{field}: {sentence}" for field, sentence in self.errors.items())


class NotFound(Fact):
    code = "not_found"
    text = N_("There is nothing here under that name.")


class WrongMove(Fact):
    code = "wrong_move"
    text = N_("That is not possible in the present state.")


class Unauthorized(Fact):
    code = "unauthorized"
    text = N_("Please sign in first.")


class Forbidden(Fact):
    code = "forbidden"
    text = N_("You may not do that.")


class TooMany(Fact):
    """Asked too often; `retry_after` in seconds."""

    code = "too_many"
    text = N_("Too many tries. Please wait a moment.")

    def __init__(self, text: str | None = None, *, retry_after: int, **details: Any) -> None:
        super().__init__(text, retry_after=retry_after, **details)
        self.retry_after = retry_after


class Unavailable(Fact):
    """Something we depend on does not answer; nothing was done or the same call can be sent again."""

    code = "unavailable"
    text = N_("Back in a moment. Nothing was lost; please try again.")

    def __init__(self, text: str | None = None, *, retry_after: int = 2, **details: Any) -> None:
        super().__init__(text, retry_after=retry_after, **details)
        self.retry_after = retry_after
