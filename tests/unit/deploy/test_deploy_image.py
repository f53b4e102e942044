"""The image's recipe: what stands in it, and, when asked for, what it makes."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.deploy.rendered import DEPLOY, ROOT

Line = tuple[str, str]  # instruction and the rest
SRC, WHEELS, TARGET, STATE = "/src", "/wheels", "/opt/watari", "/var/lib/watari"
# A user that this machine does not know, where we may become one.
STRANGER = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"] if os.geteuid() == 0 else []


def recipe() -> list[list[Line]]:
    """The stages; before the first one, what is said for all."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    stages: list[list[Line]] = [[]]
    for line in filter(None, kept.splitlines()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            stages.append([])
        stages[-1].append((instruction, " ".join(rest.split())))
    return stages


def words(stage: list[Line], instruction: str) -> list[str]:
    return [rest for named, rest in stage if named == instruction]


def test_two_stages_on_one_base_that_is_pinned_and_can_be_changed() -> None:
    head, build, last = recipe()
    assert head == [("ARG", "BASE=python:3.11-slim-bookworm")]
    assert words(build, "FROM") == ["${BASE} AS build"]
    assert words(last, "FROM") == ["${BASE}"]


def test_it_runs_as_a_number_that_is_not_root_s() -> None:
    _, _, last = recipe()
    (user,) = words(last, "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    names = [instruction for instruction, _ in last]
    assert "RUN" not in names[names.index("USER") :]


def test_the_last_stage_gets_the_environment_and_nothing_else() -> None:
    _, build, last = recipe()
    assert words(last, "COPY") == [f"--from=build {TARGET} {TARGET}"]
    assert not any(re.search(r"pip|apt|gcc|wheel", line) for line in words(last, "RUN"))
    assert not words(last, "ADD") and not words(build, "ADD")
    assert all("--no-cache-dir" in line for line in words(build, "RUN") if line.startswith("pip "))
    assert "--only-binary=:all:" in words(build, "RUN")[0], "a compiler is never needed"


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    """`.dockerignore` leaves everything out but what it takes back in."""
    _, build, _ = recipe()
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    taken = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for line in words(build, "COPY") for source in line.split()[:-1]}
    assert copied == taken
    assert all((ROOT / source).exists() for source in copied)
    left = [line for line in lines if not line.startswith("!")]
    assert any(fnmatch.fnmatch("src/watari/__pycache__", line) for line in left)


def test_nothing_secret_is_written_into_it() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert not re.search(r"(?i)password|secret|token|_key|://[^/\s]*@", text)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="watari-image-") as made:
        Path(made).chmod(0o755)
        yield Path(made)
        for each in (Path(made), *Path(made).rglob("*")):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o755)


@pytest.mark.skipif(
    os.environ.get("WATARI_TEST_INSTALL") != "1",
    reason="carries the recipe out without docker, in a minute or two and from a package index: WATARI_TEST_INSTALL=1",
)
def test_what_it_makes_runs_for_anybody_who_may_write_to_one_folder_alone(place: Path) -> None:
    _, build, last = recipe()
    places = {there: str(place / there.strip("/").replace("/", "-")) for there in (SRC, WHEELS, TARGET, STATE)}

    def here(line: str) -> str:
        return re.sub("|".join(map(re.escape, places)), lambda found: places[found.group()], line)

    for line in words(build, "COPY"):
        for source in line.split()[:-1]:
            copied(ROOT / source, Path(places[SRC]) / source)
    bare = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(place)}
    network = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_")) or k.lower().endswith("_proxy")}
    for line in words(build, "RUN"):
        subprocess.run(here(line), shell=True, check=True, cwd=places[SRC], env=bare | network, timeout=600)
    shutil.rmtree(places[SRC])
    lock(place)
    Path(places[STATE]).mkdir()
    if STRANGER:
        os.chown(places[STATE], 65532, 65532)
    program = f"{places[TARGET]}/bin/watari"
    assert said(program, "--version").startswith("watari ")
    assert "--database" in said(program, "serve", "--help")
    (environment,) = words(last, "ENV")
    variables = dict(pair.split("=", 1) for pair in here(environment).replace("$PATH", "/usr/bin:/bin").split())
    assert works_until_it_is_told_to_end(variables) == 0
    assert {each.name for each in Path(places[STATE]).iterdir()} >= {"runs.db"}


def works_until_it_is_told_to_end(variables: dict[str, str]) -> int:
    """`watari worker`, found by the PATH of the image; its exit code after a SIGTERM."""
    worker = subprocess.Popen(
        [*STRANGER, "watari", "worker"], env=variables, cwd="/", text=True, stdout=subprocess.PIPE
    )
    try:
        assert worker.stdout is not None
        assert "working with" in worker.stdout.readline()
        worker.terminate()
        return worker.wait(60)
    finally:
        worker.kill()
        worker.communicate()


def lock(folder: Path) -> None:
    """Nobody but root may write there any more, and everybody may read."""
    for each in (folder, *folder.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o555 if each.is_dir() or os.access(each, os.X_OK) else 0o444)
    folder.chmod(0o755)


def copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def said(program: str, *words: str) -> str:
    """Without HOME, and with nothing to write into."""
    ended = subprocess.run(
        [*STRANGER, program, *words], env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}, cwd="/",
        text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout
