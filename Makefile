# Everything sets itself up: `make demo` and `make test` need python3, python3-venv, git and make, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= demo-out

.PHONY: help setup demo test slow check lint types bench spam faults fuzz agree mutants picture lock install-systemd clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 18

setup: $(READY)  ## Make .venv with the locked dependencies

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## Run the main job on the seeds and show who got what
	$(BIN)/digestd demo --out $(OUT)

test: $(READY)  ## Run the tests
	$(BIN)/python -m pytest -n 4 --dist worksteal -q

check: lint types $(READY)  ## Lint, types, tests with their branch coverage, as CI does
	$(MAKE) test PYTEST_ADDOPTS="--cov --cov-report=json:.coverage.json"
	$(BIN)/python tests/support/coverage_floor.py .coverage.json

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

bench: $(READY)  ## Measure, each figure beside a reference of the same run
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.schedule
	$(BIN)/python -m benchmarks.alert
	$(BIN)/python -m benchmarks.idle

slow: $(READY)  ## Faults, browsers, whole years, and properties at length: what takes its time, in minutes
	$(BIN)/python -m pytest -n 3 --dist worksteal -q --timeout=300 -m '(faults or slow) and not loop' tests
	$(BIN)/python -m pytest -n 3 --dist worksteal -q --timeout=300 -m 'hypothesis and not (faults or slow)' \
		--hypothesis-profile=thorough tests

faults: $(READY)  ## The long fault loops too; their results go into docs/reliability.md
	rm -f .faults.jsonl
	$(BIN)/python -m pytest -q --timeout=3600 -m 'faults or slow or not slow' tests/faults
	PYTHONPATH=tests $(BIN)/python -m support.reliability

fuzz: $(READY)  ## Fuzz every format, MINUTES=1 of processor time each; guided by coverage where atheris is installed
	PYTHONPATH=.:tests $(BIN)/python -m support.fuzz --minutes $(or $(MINUTES),1)

spam: $(READY)  ## What rspamd and SpamAssassin make of the mails (needs both)
	$(BIN)/python -m pytest -q --timeout=600 -m 'faults or slow or not slow' tests/publish/test_spam_peers.py

agree: $(READY)  ## 100,000 queries and papers of the arXiv sample against the naive matcher
	$(BIN)/python -m pytest -q -n 2 --timeout=600 -m 'faults or not faults' tests/match/test_agreement_sample.py

mutants: $(READY)  ## Mutation testing of match/ (needs mutmut in .venv; FILES="digestd/match/rank.py …")
	PYTHONPATH=.:tests $(BIN)/python -m support.mutants $(or $(FILES),$(wildcard digestd/match/*.py))

picture: $(READY)  ## Make the README's pictures (needs Chromium)
	$(BIN)/python docs/picture.py

lock: $(READY)  ## Write requirements.lock anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --upgrade \
		--extra dev pyproject.toml -o requirements.lock

# PROGRAM is the digestd that the units start; DESTDIR puts the files below another root, for a package.
PROGRAM ?= /opt/digestd/bin/digestd
SYSTEMD := $(DESTDIR)/etc/systemd/system

install-systemd:  ## Put the units, the user and a first configuration in place (as root)
	install -d $(SYSTEMD) $(DESTDIR)/etc/sysusers.d $(DESTDIR)/etc/tmpfiles.d $(DESTDIR)/etc/digestd
	for unit in digestd.service digestd-once.service digestd.socket digestd-once.timer; do \
		sed 's|/opt/digestd/bin/digestd|$(PROGRAM)|' config/systemd/$$unit >$(SYSTEMD)/$$unit || exit 1; done
	install -m 644 config/systemd/digestd.sysusers $(DESTDIR)/etc/sysusers.d/digestd.conf
	install -m 644 config/systemd/digestd.tmpfiles $(DESTDIR)/etc/tmpfiles.d/digestd.conf
	test -e $(DESTDIR)/etc/digestd/digestd.toml || \
		sed -E 's|^# (\w+ = ")var/|\1/var/lib/digestd/|' config/digestd.toml | \
		install -m 640 /dev/stdin $(DESTDIR)/etc/digestd/digestd.toml
	test -e $(DESTDIR)/etc/digestd/subscribers.toml || \
		install -m 640 config/subscribers.toml $(DESTDIR)/etc/digestd/subscribers.toml
	if [ -z "$(DESTDIR)" ]; then systemd-sysusers digestd.conf && systemd-tmpfiles --create digestd.conf && \
		chgrp digestd /etc/digestd/*.toml && systemctl daemon-reload; fi

clean:  ## Remove what was built
	rm -rf $(VENV) dist build demo-out .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
