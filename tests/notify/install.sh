#!/bin/sh
# Installs what the tests of notifiers need from PyPI, pinned, into target/notify (or $ADSUM_NOTIFY): a mail server and the
# reference library of Standard Webhooks. Quick when nothing changed. Leaves a command there: `python SCRIPT …`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
into=${ADSUM_NOTIFY:-$here/../../target/notify}
mkdir -p "$into"
into=$(cd "$into" && pwd)

missing() {
    echo "tests/notify/install.sh: $1" >&2
    exit 1
}

command -v python3 >/dev/null || missing "python3 is missing; Python 3.10 or newer is needed"

if ! cmp -s "$here/requirements.txt" "$into/requirements.txt"; then
    rm -rf "$into/requirements.txt" "$into/venv" "$into/packages"
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        python3 -m venv "$into/venv"
        "$into/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
        command="exec \"\$notify/venv/bin/python\" \"\$@\""
    elif python3 -m pip --version >/dev/null 2>&1; then
        echo "tests/notify/install.sh: python3 has no venv module here; installing beside it instead" >&2
        python3 -m pip install --quiet --disable-pip-version-check --target "$into/packages" -r "$here/requirements.txt"
        command="PYTHONPATH=\"\$notify/packages\" exec python3 \"\$@\""
    else
        missing "python3 has neither the venv module nor pip; install one of them (Debian: python3-venv or python3-pip)"
    fi
    printf '#!/bin/sh\nnotify=$(cd "$(dirname "$0")" && pwd)\n%s\n' "$command" >"$into/python"
    chmod +x "$into/python"
    cp "$here/requirements.txt" "$into/requirements.txt"
fi
