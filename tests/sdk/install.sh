#!/bin/sh
# Installs PubNub's own SDKs for the tests, pinned, into target/sdk (or $ADSUM_SDK). Quick when nothing changed.
# Leaves two commands there: `python SCRIPT …` and `node SCRIPT …` run a script with the SDKs at hand.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
into=${ADSUM_SDK:-$here/../../target/sdk}
mkdir -p "$into"
into=$(cd "$into" && pwd)

missing() {
    echo "tests/sdk/install.sh: $1" >&2
    exit 1
}

command -v python3 >/dev/null || missing "python3 is missing; the Python SDK needs Python 3.10 or newer"
command -v node >/dev/null || missing "node is missing; the JavaScript SDK needs Node 20 or newer"
command -v npm >/dev/null || missing "npm is missing; it comes with Node or in a package of its own"

if ! cmp -s "$here/requirements.txt" "$into/requirements.txt"; then
    rm -rf "$into/requirements.txt" "$into/venv" "$into/packages"
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        python3 -m venv "$into/venv"
        "$into/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
        command="exec \"\$sdk/venv/bin/python\" \"\$@\""
    elif python3 -m pip --version >/dev/null 2>&1; then
        echo "tests/sdk/install.sh: python3 has no venv module here; installing beside it instead" >&2
        python3 -m pip install --quiet --disable-pip-version-check --target "$into/packages" -r "$here/requirements.txt"
        command="PYTHONPATH=\"\$sdk/packages\" exec python3 \"\$@\""
    else
        missing "python3 has neither the venv module nor pip; install one of them (Debian: python3-venv or python3-pip)"
    fi
    printf '#!/bin/sh\nsdk=$(cd "$(dirname "$0")" && pwd)\n%s\n' "$command" >"$into/python"
    chmod +x "$into/python"
    cp "$here/requirements.txt" "$into/requirements.txt"
fi

if ! cmp -s "$here/package-lock.json" "$into/npm/installed.json"; then
    rm -rf "$into/npm"
    mkdir -p "$into/npm"
    cp "$here/package.json" "$here/package-lock.json" "$into/npm/"
    (cd "$into/npm" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
    printf '#!/bin/sh\nsdk=$(cd "$(dirname "$0")" && pwd)\nNODE_PATH="$sdk/npm/node_modules" exec node "$@"\n' >"$into/node"
    chmod +x "$into/node"
    cp "$here/package-lock.json" "$into/npm/installed.json"
fi
