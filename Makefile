# What people type here. The two that matter: `make demo` and `make test`.

CARGO ?= cargo

.PHONY: demo test lint bench sdk notify

# Everything at once, with no account.
demo:
	$(CARGO) run --release -- demo

# All tests, with PubNub's own SDKs as clients and real receivers of notifications. Uses cargo-nextest where it is installed.
test: sdk notify
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run && $(CARGO) test --doc; \
	else \
		$(CARGO) test; \
	fi

# Formatting and lints; a warning is an error.
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

# Benchmarks: small ones, then whole systems side by side with PubNub's Python SDK. benches/RESULTS.md says how long they take.
bench: sdk
	$(CARGO) bench --bench observe
	$(CARGO) bench --bench system

# PubNub's own SDKs, pinned, into target/sdk.
sdk:
	sh tests/sdk/install.sh

# A mail server and the reference verifier of Standard Webhooks, pinned, into target/notify.
notify:
	sh tests/notify/install.sh
