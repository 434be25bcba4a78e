"""All tests: device/ runs on every runtime, the rest on the host."""
