"""Judges the texts of parity.json by the installed Prefect, and prints the file anew.

    python parity.py > new.json    (with the python of an environment that has Prefect)
"""

import json
import math
import os
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
CASES = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "parity.json")))
HOME = tempfile.mkdtemp()
BASE = {"PATH": os.environ.get("PATH", ""), "HOME": HOME, "PREFECT_HOME": HOME}
os.chdir(HOME)
os.environ.clear()
os.environ.update(BASE)

from prefect.settings import sources  # noqa: E402
from prefect.settings.models.root import Settings  # noqa: E402


def as_json(value):
    """Integers beyond 64 bits and what JSON does not have are strings."""
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**64:
        return str(value)
    return value


def judge(source, variable, text):
    name = variable.removeprefix("PREFECT_").lower()
    section, key = name.split("_", 1)
    os.environ.clear()
    os.environ.update(BASE)
    if source == "environment":
        os.environ[variable] = text
    else:
        with open(source, "w") as file:
            file.write(f"[{section}]\n{key} = {text}\n")
    sources._file_cache.clear()
    try:
        return [as_json(getattr(getattr(Settings(), section), key))]
    except Exception:
        return []
    finally:
        if os.path.exists(source):
            os.remove(source)


rows = [[*case[:3], *judge(*case[:3])] for case in CASES]
lines = (json.dumps(row, separators=(",", ":")) for row in rows)
sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")
