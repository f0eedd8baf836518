# The front: each target calls the tool that does the work.
BUILD  = build
PREFIX = /usr/local

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup --prefix $(PREFIX) $(BUILD)

# Debian packages for build, tests and demo; the servers that tests talk to come below build/peers.
deps:
	@packaging/deps
	@tests/peers

# A complete demo on this machine, left running; `make stop` ends it.
run: deps
	@$(MAKE) --no-print-directory all
	@tests/demo up

stop:
	@tests/demo down

test: deps
	@tests/run

# Hours: long fuzzing, loss matrices, hundreds of kills.
soak: deps
	@tests/soak

# The measurements that the README quotes.
bench: all
	@bench/run

install: all
	@meson install -C $(BUILD) --no-rebuild

# All but the unpacked peers, which would have to be fetched again.
clean:
	@if [ -d $(BUILD) ]; then find $(BUILD) -mindepth 1 -maxdepth 1 ! -name peers -exec rm -rf {} +; fi

.PHONY: all deps run stop test soak bench install clean
.NOTPARALLEL:
