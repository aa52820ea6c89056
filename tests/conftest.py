"""What all tests share: a machine that is busy with other work makes nothing fail."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Time limits of hypothesis would count the noise of the machine; `timeout` in pyproject.toml ends what hangs.
settings.register_profile("digestd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("digestd")
