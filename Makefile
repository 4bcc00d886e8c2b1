# One command for each thing one does here. All of them set up what they need.

.PHONY: test test-frameworks lint demo bench clean

test: ## every test: Rust, the ONNX backend tests, and real clients against the real binary
	@scripts/test.sh

test-frameworks: ## networks of Keras, TensorFlow and PyTorch; their frameworks are installed first, some gigabytes
	@scripts/test-frameworks.sh

lint: ## format and lints, as CI runs them
	@scripts/lint.sh

demo: ## the platform with a sample function
	@cargo run --release -- demo

bench: ## the figures of SPECIFICATION.md, beside FastAPI with ONNX Runtime
	@bench/run.sh

clean: ## what the tests made; `cargo clean` for the rest
	rm -rf .venv-tests .venv-onnx .venv-moto .venv-worker .venv-tensorflow .venv-torch .cache
