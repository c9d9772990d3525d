# What people and the CI call. Everything stays in ./build, packages aside.
.PHONY: setup build demo test-integration

setup:
	@tools/setup

build: setup
	cmake --preset release
	cmake --build --preset release

demo: build
	@/usr/bin/python3 lab/scenario.py

test-integration: build
	tests/integration/run
