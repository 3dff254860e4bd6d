"""README.md names the tests behind its failure table: each of them exists."""
import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]


def test_named_tests_exist():
    readme = (TOP / "README.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", readme))
    there = {name for path in (TOP / "tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}
    assert named and named <= there, named - there
    for path in re.findall(r"\]\(([\w/.-]+)\)", readme):
        assert (TOP / path).exists(), path
