#!/usr/bin/env python3
"""count_junit.py FILE: print "PASSED FAILED SKIPPED" of a JUnit XML result.

Exit status 1 when there is no such file or it is not complete.
"""
import sys
import xml.etree.ElementTree as ElementTree


def main():
    try:
        root = ElementTree.parse(sys.argv[1]).getroot()
    except (OSError, ElementTree.ParseError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    passed = failed = skipped = 0
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    print(passed, failed, skipped)
    return 0


sys.exit(main())
