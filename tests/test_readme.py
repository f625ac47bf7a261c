"""The README's programs print what the README says."""

import contextlib
import io
import re

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```(?:(?!```).)*?```text\n(.*?)```", README, re.S)


@pytest.mark.parametrize(("program", "printed"), PROGRAMS, ids=lambda text: text.strip()[:30])
def test_programs_print_what_the_readme_says(program, printed):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "README.md", "exec"), {})
    assert out.getvalue() == printed


def test_all_programs_were_found():
    assert len(PROGRAMS) == README.count("```python") >= 2
