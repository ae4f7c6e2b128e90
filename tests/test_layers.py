"""Who may import whom, inside rooms too; who touches the system, who speaks to people; how long things may be. The tables: `rooms.py`."""

import ast

import pytest

from tests.rooms import (
    CIRCLES,
    DOORS,
    FACES,
    FILES,
    LONG_FILES,
    LONG_FUNCTIONS,
    NEUTRAL,
    OF_ONE,
    ONLY_IMPORTER,
    OURS,
    PURE,
    ROOMS,
    ROOT,
    SHELL_MODULES,
    SHELLS,
    SPEAKERS,
    circles,
    imported,
    imports_of_ours,
    may_import,
    module_of,
    room_of,
    target,
    tree_of,
    within,
)

PATHS = sorted(FILES.values())


def at(path: str, place: str) -> bool:
    """Whether a file is, or lies in, a place."""
    return path == place or path.startswith(place + "/")


# --- rooms ---


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_file_imports_only_what_its_room_may(module: str) -> None:
    room = room_of(module)
    for name in sorted(imports_of_ours(module)):
        assert may_import(room, name), f"{FILES[module]} imports {name}; {room} may import {ROOMS[room].may} (tests/rooms.py)"
    for name in imported(FILES[module]):
        assert name.split(".")[0] not in OURS or target(name), f"{FILES[module]} imports {name}, which is no file of ours"


def neutral(place: str) -> list[str]:
    """The files of a place that run any generation."""
    return [path for path in PATHS if at(path, place) and not any(at(path, one) for one in OF_ONE)]


@pytest.mark.parametrize("place", NEUTRAL)
def test_what_runs_any_generation_names_none(place: str) -> None:
    assert neutral(place), f"{place} is no file: take it from NEUTRAL in tests/rooms.py"
    for path in neutral(place):
        named = sorted(name for name in imported(path) if of_a_generation(name))
        assert not named, f"{path} imports {named}: take it from the Generation or the Conduct that it is handed"


@pytest.mark.parametrize("place", NEUTRAL)
def test_what_runs_any_generation_reaches_none_by_others_either(place: str) -> None:
    for module in map(module_of, neutral(place)):
        reached, ahead = {module}, [module]
        while ahead:
            new = {name for name in imports_of_ours(ahead.pop()) if not any(within(name, door) for door in DOORS)} - reached
            reached |= new
            ahead += new
        wrong = sorted(name for name in reached if of_a_generation(name))
        assert not wrong, f"{module} reaches {wrong} by what it imports"


@pytest.mark.parametrize("place", OF_ONE)
def test_what_is_of_one_generation_names_it(place: str) -> None:
    named = [name for path in PATHS if at(path, place) for name in imported(path) if of_a_generation(name)]
    assert named, f"{place} is of no generation: take it from OF_ONE in tests/rooms.py"


def of_a_generation(name: str) -> bool:
    shared = (
        "v2g.messages.app_protocol",
        "v2g.messages.xmldsig",
        "v2g.messages.schema_set",
    )  # what all have, and how a set is found by name
    return ".iso2" in name or (name.startswith("v2g.messages.") and not name.startswith(shared))


def test_the_rule_tells_rooms_and_single_modules_apart() -> None:
    assert may_import("ocpp_bridge", "secc.station")
    assert not may_import("ocpp_bridge", "secc.server")
    assert may_import("v2gkit.lab", "v2g.exi.codec")
    assert not may_import("v2gkit.lab", "v2gkit.cli.main")
    assert not may_import("v2gkit.peers", "v2gkit.insight.recorder")
    assert not may_import("v2gkit.peers", "secc.server")
    assert not may_import("v2gkit.insight", "v2gkit.cli.main")
    assert not may_import("secc", "evcc.car")
    assert not may_import("evcc", "secc.station")
    assert not may_import("v2g.exi", "v2g.messages")


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_has_files_and_so_has_what_it_may_import(room: str) -> None:
    assert any(room_of(module) == room for module in FILES), f"{room} has no file: delete its row"
    for allowed in ROOMS[room].may:
        assert any(within(module, allowed.removesuffix(".*")) for module in FILES), f"{room} may import {allowed}, which has no file"


def test_every_folder_of_v2g_and_v2gkit_is_a_room() -> None:
    folders = {f"{top}.{p.name}" for top in ("v2g", "v2gkit") for p in (ROOT / top).iterdir() if (p / "__init__.py").exists()}
    assert folders <= set(ROOMS), f"no row in tests/rooms.py: {folders - set(ROOMS)}"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_tests_of_a_room_are_where_its_row_says(room: str) -> None:
    for place in ROOMS[room].tests:
        found = [ROOT / place] if place.endswith(".py") else list((ROOT / place).glob("test_*.py"))
        assert found, f"{place} holds no tests of {room}"
        assert all(path.exists() for path in found), f"{place} is not there"


def test_tests_mirror_the_rooms() -> None:
    kinds = {"browser", "conformance", "integration", "interop", "fuzz"}  # those that are of no single room
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = path.parent.relative_to(ROOT / "tests").as_posix()
        assert folder == "." or folder in kinds or (ROOT / folder).is_dir(), f"{path} mirrors no folder {folder}"


# --- inside rooms ---


def test_no_circle_of_imports() -> None:
    found = circles({module: imports_of_ours(module) for module in FILES})
    new = [sorted(circle) for circle in found if circle not in CIRCLES]
    assert not new, f"these files import each other in a circle: {new}; whoever reads one has to read them all"
    gone = [sorted(circle) for circle in CIRCLES if circle not in found]
    assert not gone, f"opened, so strike it from CIRCLES in tests/rooms.py: {gone}"


def test_circles_are_seen() -> None:
    arrows = {"a": ("b",), "b": ("c", "x"), "c": ("a",), "x": ("y",), "y": (), "p": ("q",), "q": ("p", "a")}
    assert set(circles(arrows)) == {frozenset("abc"), frozenset("pq")}


def test_imports_of_types_and_in_functions_are_arrows_too() -> None:
    assert "v2g.exi.grammar" in imports_of_ours("v2g.exi.strings")  # for types alone
    assert "v2gkit.lab.demo" in imports_of_ours("v2gkit.cli.demo")  # in a function


def test_a_package_hands_on_only_what_is_its_own_and_says_so() -> None:
    for module, path in FILES.items():
        if path.endswith("__init__.py"):
            froms = [node for node in tree_of(path).body if isinstance(node, ast.ImportFrom)]
            used = {node.id for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name)}
            on = {name.asname or name.name: node.module or "" for node in froms for name in node.names}
            on = {name: source for name, source in on.items() if name not in used}
            strange = {name: source for name, source in on.items() if not within(source, module)}
            assert not strange, f"{path} hands on {strange}: import it from where it is"
            said = [
                ast.literal_eval(n.value)
                for n in tree_of(path).body
                if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
            ]
            assert sorted(on) == sorted(name for all_ in said for name in all_), f"{path}: __all__ names what it hands on, and no more"


@pytest.mark.parametrize("face", FACES)
def test_a_package_is_entered_by_its_face(face: str) -> None:
    assert FILES[face].endswith("__init__.py"), f"{face} is no package: strike it from FACES in tests/rooms.py"
    inside = {module for module in FILES if within(module, face) and module != face}
    past = {name for module, path in FILES.items() if not within(module, face) for name in imported(path) if target(name) in inside}
    assert not past, f"{sorted(past)}: import it from {face}"
    shown = {name.removeprefix(face).split(".")[2] for name in imported(FILES[face])}
    made = {name for module in inside for name in public(tree_of(FILES[module]))}
    assert made == shown, f"{face} does not hand on what is made in it: {sorted(made ^ shown)}"


def public(tree: ast.Module) -> set[str]:
    """Names of classes and of values that a file makes for others."""
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    values = {ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)}
    return {name for name in classes | values if not name.startswith("_")}


def test_no_module_is_a_shim() -> None:
    for path in PATHS:
        body = [node for node in tree_of(path).body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not imports or len(imports) < len(body), f"{path} only imports: a module that hands on what is elsewhere"


# --- shells, and who speaks ---


@pytest.mark.parametrize("path", PATHS)
def test_only_shells_touch_clock_network_and_system(path: str) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    if not any(at(path, shell) for shell in SHELLS):
        assert not tops & SHELL_MODULES, f"{path} imports {sorted(tops & SHELL_MODULES)}: only shells may, see SHELLS in tests/rooms.py"
    for library, place in ONLY_IMPORTER.items():
        assert library not in tops or at(path, place), f"{path} imports {library}; only {place} may"


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_of_the_kit_touches_the_system_in_its_shell_alone(room: str) -> None:
    for path in (path for path in PATHS if at(path, room)):
        touched = {name.split(".")[0] for name in imported(path)} & SHELL_MODULES
        assert bool(touched) <= any(at(path, shell) for shell in PURE[room]), f"{path} imports {sorted(touched)}; only {PURE[room]} may"
    for shell in PURE[room]:
        test_a_shell_exists_and_touches_the_system(shell)


@pytest.mark.parametrize("shell", [*SHELLS, *ONLY_IMPORTER.values()])
def test_a_shell_exists_and_touches_the_system(shell: str) -> None:
    used = {name.split(".")[0] for path in PATHS if at(path, shell) for name in imported(path)}
    assert used & (SHELL_MODULES | set(ONLY_IMPORTER)), f"{shell} is no shell (any more): strike it"


def speaks(path: str) -> set[str]:
    """How a file speaks to people: by arguments that it parses, by printing."""
    found = {name for name in imported(path) if name == "argparse" or name in ("v2gkit.output.put", "v2gkit.output.complain")}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.add("print")
        if isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and ast.unparse(node.value) == "sys":
            found.add(f"sys.{node.attr}")
    return found


def test_only_the_command_line_parses_arguments_and_prints() -> None:
    speakers = {path: speaks(path) for path in PATHS if speaks(path) and not at(path, "v2gkit/cli")}
    new = {path: sorted(how) for path, how in speakers.items() if path not in SPEAKERS}
    assert not new, f"{new}: yield lines or values, and let v2gkit/cli print them"
    assert set(SPEAKERS) <= set(speakers), f"silent, so strike it from SPEAKERS in tests/rooms.py: {set(SPEAKERS) - set(speakers)}"


FOREIGN = {"iso15118", "pyslac"}


def test_foreign_drivers_import_nothing_of_ours() -> None:
    drivers = [m for m in FILES if within(m, "v2gkit.peers") and any(name.split(".")[0] in FOREIGN for name in imported(FILES[m]))]
    assert len(drivers) >= 5
    for module in drivers:
        assert not imports_of_ours(module), f"{FILES[module]} runs in a foreign interpreter, which has none of ours"


def test_pki_makes_nothing_that_is_broken_on_purpose() -> None:
    for path in (p for p in PATHS if at(p, "pki")):
        names = [node.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        bad = [name for name in [path, *names] if any(word in name.lower() for word in ("broken", "forge", "tamper", "corrupt", "fake"))]
        assert not bad, f"{bad} in {path}: what is broken on purpose lives in v2gkit/authorities"


# --- how long ---

LINES, FUNCTION = 400, 50  # what one can keep in mind of a file; what is seen of a function at once


def lines_of(path: str) -> int:
    return (ROOT / path).read_text(encoding="utf-8").count("\n")


def functions_of(path: str) -> dict[str, int]:
    """Every function of a file, with its lines."""
    functions = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {f"{path}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 for node in functions}


def test_no_file_outgrows_a_reader() -> None:
    long = {path for path in PATHS if not at(path, "v2g/messages") and lines_of(path) > LINES}  # a message is as long as its XSD
    assert not long - set(LONG_FILES), f"more than {LINES} lines, split at the seam: {sorted(long - set(LONG_FILES))}"
    assert set(LONG_FILES) <= long, f"short now, so strike it from LONG_FILES in tests/rooms.py: {set(LONG_FILES) - long}"


def test_no_function_is_longer_than_a_screen() -> None:
    long = {name for path in PATHS for name, lines in functions_of(path).items() if lines > FUNCTION}
    assert not long - set(LONG_FUNCTIONS), f"more than {FUNCTION} lines: {sorted(long - set(LONG_FUNCTIONS))}"
    assert set(LONG_FUNCTIONS) <= long, f"short now, so strike it from LONG_FUNCTIONS in tests/rooms.py: {set(LONG_FUNCTIONS) - long}"


def test_lengths_are_seen() -> None:
    assert lines_of("v2g/messages/common_messages.py") > LINES
    assert functions_of("tests/rooms.py")["tests/rooms.py:circles"] > 20
