# Daily commands; `just` lists them.

default:
    @just --list

# Format everything.
format:
    cargo fmt --all

# What has to be clean before a commit.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests of the Rust crates.
test:
    cargo test --workspace

# Tests of one crate: just one dft, just one dft stress.
one crate *arguments:
    cargo test -p crystalgym-{{crate}} {{arguments}}

# The Python package into the active environment, and its tests.
python *arguments:
    pip install '.[test]'
    pytest {{arguments}}

# The same without the optimised build.
python-quick *arguments:
    MATURIN_PEP517_ARGS="--profile dev" pip install --no-deps .
    pytest {{arguments}}

# Everything that the tests of the repository do, programs to compare with included.
everything:
    .ci/run

# Seeds keep their meaning: compares, and after a change that is meant records.
digests:
    cargo test -p crystalgym --test value_stability

record-digests:
    CRYSTALGYM_RECORD_DIGESTS=1 cargo test -p crystalgym --test value_stability
    CRYSTALGYM_RECORD_DIGESTS=1 pytest python/tests/test_value_stability.py

# The documentation as a site in target/book (needs mdbook).
docs:
    mdbook build
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
