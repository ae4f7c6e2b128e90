"""The argument parser of `v2g`: `argparse` with one-line errors, suggestions for unknown names, and help that fits the terminal."""

import argparse
import importlib
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from v2g.settings import suggestion
from v2gkit.output import put

WIDEST = 120  # columns: longer lines of prose are hard to read
GAP = re.compile(r"(?<=\S) {2,}(?=\S)")  # between an example and what it does
USAGE = 2
CHOICES = 30  # columns of choices in a usage line, beside its option


class Help(argparse.RawDescriptionHelpFormatter):
    """Formats help: prose is wrapped to the terminal; an example that does not fit beside its remark has it below."""

    def __init__(self, prog: str, **given: Any):
        super().__init__(prog, **given)
        self._width = min(self._width, WIDEST)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        paragraph: list[str] = []
        for line in [*text.strip("\n").splitlines(), ""]:
            if line and not line.startswith(" "):
                paragraph.append(line)
                continue
            lines += textwrap.wrap(" ".join(paragraph), width, break_long_words=False, break_on_hyphens=False)
            paragraph = []
            lines += _example(line, width) if line else [""]
        return "\n".join(lines).rstrip() + "\n"

    def _metavar_formatter(self, action: argparse.Action, default_metavar: str) -> Callable[[int], tuple[str, ...]]:
        """Choices stand in braces while they are few; else the name of what is chosen, and they are told in its help."""
        shown = action.metavar or (default_metavar if _many(action) else None)
        return super()._metavar_formatter(action, default_metavar) if shown is None else lambda size: (str(shown),) * size

    def _format_action(self, action: argparse.Action) -> str:
        if action.metavar is None and _many(action):
            action, choices = copy(action), ", ".join(map(str, action.choices or ()))
            action.help = f"{action.help}; one of {choices}" if action.help else f"one of {choices}"
        return super()._format_action(action)


def _many(action: argparse.Action) -> bool:
    return action.choices is not None and len(",".join(map(str, action.choices))) > CHOICES


def _example(line: str, width: int) -> list[str]:
    """An example as it stands if it fits; else continued as a shell reads it, and its remark below."""
    if len(line) <= width:
        return [line]
    command, *remark = GAP.split(line.strip(), maxsplit=1)
    shown = textwrap.wrap(command, width - 8, break_long_words=False, break_on_hyphens=False)
    continued = " \\\n      ".join(shown).splitlines()
    below = textwrap.wrap(remark[0], width - 6, break_long_words=False, break_on_hyphens=False) if remark else []
    return [f"  {continued[0]}", *continued[1:], *(f"      {part}" for part in below)]


class Parser(argparse.ArgumentParser):
    """A parser of `v2g` or of one of its commands."""

    def __init__(self, *names: Any, **given: Any):
        given |= {"formatter_class": Help, "allow_abbrev": False}  # an abbreviation of today is ambiguous tomorrow
        super().__init__(*names, **given)

    def print_help(self, file: Any = None) -> None:
        """Write the help to standard output."""
        put(self.format_help(), end="", flush=True)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong in one line on standard error, and exit with code 2."""
        missing = message.removeprefix("the following arguments are required: ")
        if missing != message:
            commands = next((a for a in self._actions if isinstance(a, argparse._SubParsersAction) and a.metavar == missing), None)
            choices = f"; there are {', '.join(commands.choices)}" if commands is not None else ""
            message = f"{missing} is missing{choices}"
        self.exit(USAGE, f"{self.prog}: {message.removeprefix('argument ')} (see {self.prog} --help)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does, but let the sub-command report an argument that it does not know."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(self._unknown(rest[0]))
        if not hasattr(known, "prog"):
            known.prog = self.prog  # of the innermost command, for what it has to say
        return known, rest

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one argument too many"
        name = word.partition("=")[0]
        if any(isinstance(action, argparse._SubParsersAction) for action in self._actions):
            return f"{name} belongs behind the command: {self.prog} COMMAND {name}"
        options = [option for option in self._option_string_actions if option.startswith("--")]
        return f"there is no option {name}; {suggestion.cure(name, options)}"

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """The value of an argument. An empty path, which a shell makes of a variable that is not set, is refused: to Python it is `.`."""
        if action.type is Path and not arg_string:
            raise argparse.ArgumentError(action, "the path is empty; give one, or leave the argument out")
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        commands = isinstance(action, argparse._SubParsersAction)
        what = f"no {str(action.metavar).lower()} {value!r}" if commands else f"{value!r} is none of the choices"
        raise argparse.ArgumentError(None if commands else action, f"{what}; {suggestion.cure(str(value), map(str, action.choices))}")


class Command(NamedTuple):
    """A row in a table of commands: the command's module, and its help in one line.

    The module has a docstring (its description), EPILOG (examples, exit codes), `options(parser)`, and `run(options)` where it ends.
    """

    module: str
    help: str


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]
    """The commands of a parser; the module of one is imported when it is called, and not before."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None) -> None:
        self.load(values[0])
        super().__call__(parser, namespace, values, option_string)

    def load(self, name: str) -> None:
        """Import the module of a command, and add its description and options to the parser."""
        command = self.waiting.pop(name, None)
        if command is None:
            return
        module, parser = importlib.import_module(command.module), self.choices[name]
        parser.description, parser.epilog = module.__doc__, module.EPILOG
        module.options(parser)
        if hasattr(module, "run"):
            parser.set_defaults(func=module.run)

    waiting: dict[str, Command]


def add_commands(parser: argparse.ArgumentParser, table: Mapping[str, Command]) -> None:
    """Add the commands of a table to a parser; a command's module is imported when it is called."""
    commands: Any = parser.add_subparsers(metavar="COMMAND", required=True, action=_Commands)
    commands.waiting = dict(table)
    for name, command in table.items():
        commands.add_parser(name, help=command.help)


def every(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and the parsers of all its commands, with their options; imports the module of every command."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                if isinstance(action, _Commands):
                    action.load(name)
                yield from every(each)


class Version(argparse.Action):
    """The action of `--version`: prints the version and exits."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None) -> NoReturn:
        put(f"v2gkit {version()}", flush=True)
        parser.exit()


def version() -> str:
    """The installed version of v2gkit."""
    from importlib import metadata

    try:
        return metadata.version("v2gkit")
    except metadata.PackageNotFoundError:
        return "unknown: it is not installed, only on the path"


# --- kinds of arguments ---


def number(least: float | None = None, *, above: float | None = None, most: float | None = None) -> Callable[[str], float]:
    """An argparse type: a finite number within these bounds."""

    def read(text: str) -> float:
        return _within(float, "number", text, least, above, most)

    return read


def whole(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number within these bounds."""

    def read(text: str) -> int:
        return int(_within(int, "whole number", text, least, None, most))

    return read


def port(text: str) -> int:
    """An argparse type: a TCP port; 0 stands for any free one."""
    return whole(0, 65_535)(text)


def _within(kind: Callable[[str], float], name: str, text: str, least: float | None, above: float | None, most: float | None) -> float:
    wanted = f"give a {name}"
    if least is not None:
        wanted += f", {least:.12g} to {most:.12g}" if most is not None else f", at least {least:.12g}"
    elif above is not None:
        wanted += f" above {above:.12g}"
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no {name}; {wanted}") from None
    below = (least is not None and value < least) or (above is not None and value <= above)
    if below or (most is not None and value > most) or value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"{text} is out of range; {wanted}")
    return value


def names_among(known: Sequence[str]) -> Callable[[str], list[str]]:
    """An argparse type: names separated by commas, each one of the known ones."""

    def read(text: str) -> list[str]:
        names = [part.strip() for part in text.split(",") if part.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of the choices; {suggestion.cure(name, known)}")
        if not names:
            raise argparse.ArgumentTypeError(f"nothing is named; there are {', '.join(known)}")
        return names

    return read
