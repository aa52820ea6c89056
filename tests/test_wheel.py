"""The wheel, in an empty environment outside the tree, does the main job with what travels inside it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(120)
def test_wheel_installed_elsewhere_runs_the_demo(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)]
    subprocess.run(install, check=True)
    # A path file would bring the checkout itself in: this interpreter sees the libraries, and no path files.
    program = (
        f"import sys; sys.path[:] = [p for p in sys.path if p and {str(ROOT)!r} not in p or 'site-packages' in p];"
        f"sys.path.insert(0, {str(site)!r}); sys.path.append({sysconfig.get_path('purelib')!r});"
        "import digestd; from digestd.cli import main;"
        f"assert digestd.__file__.startswith({str(site)!r}), digestd.__file__;"
        "main(['demo', '--json', '--out', 'out'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["sent"], told["files"][0]["papers"]) == (4, 82)
    assert str(site) in str(told["files"][0]["file"])
    for name in ("templates/mail/edition.html.j2", "config/digestd.toml", "seeds/README.md"):
        assert (site / "digestd" / "_shipped" / name).exists()
