# Runs a script with the first Python of a version that the project supports and that can make
# environments: sh tools/with_python.sh SCRIPT ARGUMENTS
version_ok='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'
no_venv=
for python in ${PYTHON:-python3 python3.12 python3.11 python3.10 python}; do
    "$python" -c "$version_ok" 2>/dev/null || continue
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        exec "$python" "$@"
    fi
    no_venv=${no_venv:-$python}
done
if [ -n "$no_venv" ]; then
    echo "$no_venv cannot make environments: on Debian and Ubuntu, apt-get install python3-venv" >&2
else
    found=$(${PYTHON:-python3} --version 2>/dev/null || echo "no ${PYTHON:-python3}")
    echo "Python 3.10, 3.11 or 3.12 is needed, but there is $found:" \
        "install one, or name it with make PYTHON=/path/to/python3.11" >&2
fi
exit 2
