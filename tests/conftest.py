"""What all tests share: a machine that is busy with other work makes nothing fail, and properties are cheap by default.

The default run tries a few new examples of each property; `make slow` tries many, by the profile `thorough`.
"""

from __future__ import annotations

import os
import sys

from hypothesis import HealthCheck, settings

# Rewritten tests and the package itself are compiled once and not in each worker and child, whatever the shell says.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Time limits of hypothesis would count the noise of the machine; `timeout` in pyproject.toml ends what hangs.
settings.register_profile("digestd", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("digestd"), max_examples=500)
settings.load_profile("digestd")
