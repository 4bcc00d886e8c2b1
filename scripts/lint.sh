#!/usr/bin/env bash
# Format and lints. Nothing is changed; `cargo fmt` mends the first.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "lint: format"
cargo fmt --all --check
echo "lint: clippy"
cargo clippy --workspace --all-targets --quiet -- -D warnings
echo "lint: documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet --document-private-items
if command -v cargo-deny >/dev/null; then
  echo "lint: licences, sources and banned crates"
  cargo deny --log-level error check bans licenses sources
fi
echo "lint: clean"
