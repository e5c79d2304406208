#!/usr/bin/env bash
# The wheel has every file of the package, and works in an empty folder: a command that needs a clone says so in one line.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$folder" .
mkdir "$folder/wheel" "$folder/empty"
python -m zipfile -e "$folder"/dlcv-*.whl "$folder/wheel"

# .gitignore may keep a file out of the wheel; params.yaml and the profiles lie outside of the package.
{ git ls-files dlcv; git ls-files params.yaml profiles | sed 's|^|dlcv/|'; } | LC_ALL=C sort > "$folder/expected"
(cd "$folder/wheel" && find dlcv -type f | LC_ALL=C sort) | diff "$folder/expected" -

cd "$folder/empty"
export PYTHONPATH="$folder/wheel"
dlcv() { python -P -m dlcv "$@"; }
test "$(python -P -c 'import dlcv; print(dlcv.__file__)')" = "$folder/wheel/dlcv/__init__.py"
dlcv --version > /dev/null
dlcv gan sample --help > /dev/null
for command in "params show" "profile smoke" "export gan/sngan-0 model" "verify" "plots-page" "repro"; do
  # shellcheck disable=SC2086 # the words of the command
  if message="$(dlcv $command 2>&1)"; then echo "dlcv $command: no error"; exit 1; fi
  if ! grep -q '^dlcv: error: ' <<< "$message" || test "$(wc -l <<< "$message")" != 1; then
    echo "dlcv $command: $message"
    exit 1
  fi
done
test -z "$(ls -A)" || { echo "files were left:" && ls -A; exit 1; }
echo "wheel: $(wc -l < "$folder/expected") files; outside of a clone, commands run or say what is missing"
