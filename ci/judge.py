#!/usr/bin/env python3
"""Compares what a client's test suite did with what it is known to do.

    judge.py RESULTS EXPECTED BASELINE [RERUN...]            prints a verdict, exit code 1 when something is not as written down
    judge.py --failed RESULTS EXPECTED BASELINE [RERUN...]   prints the names of failures that nobody expected, one a line

RESULTS and RERUN are results.tsv files (state, name, seconds, reason), BASELINE the same of a run against Apache Kafka. A RERUN
holds further tries: the last one counts. EXPECTED has a line `name  # reason` for each test that does not pass, and `name  # flaky: reason`
for one that may pass or not. A test that passes on Apache Kafka and is skipped or missing here counts as not passed.
"""
import os
import sys


def results(path):
    found = {}
    if path and os.path.exists(path):
        for line in open(path, encoding="utf-8", errors="replace"):
            fields = line.rstrip("\n").split("\t")
            if len(fields) > 1:
                found[fields[1]] = (fields[0], fields[3] if len(fields) > 3 else "")
    return found


def expected(path):
    known = {}
    if os.path.exists(path):
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            name, mark, reason = line.partition("  # ")
            if not mark or not reason.strip():
                sys.exit(f"{path}:{number}: write `name  # reason`")
            known[name.strip()] = reason.strip()
    return known


def main(arguments):
    only_names = arguments[0] == "--failed"
    arguments = arguments[only_names:]
    ran, known, there = results(arguments[0]), expected(arguments[1]), results(arguments[2])
    again = {}
    for path in arguments[3:]:
        again.update(results(path))
    wrong, notes, passed = [], [], 0
    for name in sorted(set(ran) | set(known) | {n for n, (state, _) in there.items() if state == "pass"}):
        first, why = ran.get(name, ("missing", "did not run"))
        state, why = again.get(name, (first, why))
        on_kafka = there.get(name, ("unknown", ""))[0]
        if state == "pass":
            passed += 1
            if first != "pass":
                notes.append(f"later try   {name}")
            if name in known and not known[name].startswith("flaky:"):
                wrong.append(("stale", name, f"passes now, but is listed: {known[name]}"))
        elif name in known:
            notes.append(f"expected    {name}: {known[name]}")
            if name not in ran and name not in there:
                wrong.append(("stale", name, "is listed, and no such test is known"))
        elif state == "fail" or on_kafka == "pass":
            wrong.append((state, name, f"{why} [on Apache Kafka: {on_kafka}]"))
    if only_names:
        print("\n".join(name for state, name, _ in wrong if state == "fail"))
        return 0
    for note in notes:
        print(note)
    for state, name, why in wrong:
        print(f"WRONG       {name} ({state}): {why}")
    print(f"{passed} as they should be passing, {len(notes)} noted, {len(wrong)} not as written down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
