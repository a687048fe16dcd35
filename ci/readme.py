#!/usr/bin/env python3
"""Takes the README's marked blocks out: commands with the output that they must print, and code with the file that holds it.

    readme.py ROOT INTO      writes INTO/N.sh with INTO/N.text, one pair a block of commands; prints a line for each block of code
"""
import pathlib
import re
import sys

BLOCK = re.compile(r"<!-- (?P<mark>[^\n]*) -->\n```(?P<kind>\w+)\n(?P<body>.*?)^```\n(?:\n```text\n(?P<text>.*?)^```\n)?", re.M | re.S)
RUN = "ci/examples runs this"
FROM = "from "


def main(root: pathlib.Path, into: pathlib.Path) -> int:
    into.mkdir(parents=True)
    commands = 0
    for block in BLOCK.finditer((root / "README.md").read_text()):
        mark, body = block["mark"], block["body"]
        if mark.startswith(RUN):
            if block["text"] is None:
                print(f"not in the README: the output of {body.splitlines()[0]}")
                return 1
            commands += 1
            (into / f"{commands}.sh").write_text(body)
            (into / f"{commands}.text").write_text(block["text"])
        elif mark.startswith(FROM):
            path = mark.removeprefix(FROM)
            holds = body in (root / path).read_text()
            print(f"{'code is' if holds else 'not'} in {path}")
    print(f"{commands} blocks of commands")
    return 0 if commands else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
