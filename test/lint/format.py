#!/usr/bin/env python3
"""format.py FILE: print C source in the project's style, for `format`.

clang-format does most of it.  Macro definitions keep the form that their
author gave them.  The rest is what PostgreSQL's pgindent does and clang-format
cannot: the names of declarations stand in the 12th column after the
indentation (with their stars before it), comments after code in column 32.
Where that moves a line with an open parenthesis or comment, the lines that
continue it move along.  The brace that closes a list of several lines gets
its own line, and MACRO(x)[i], which clang-format breaks, is one line.
"""
import re
import subprocess
import sys

TAB = 4
NAME_COLUMN = 12
COMMENT_COLUMN = 32

NOT_TYPES = {"return", "goto", "else", "case", "typedef", "default", "break",
             "continue", "if", "for", "while", "do", "switch", "sizeof"}
DECLARATION = re.compile(
    r"^(?P<indent>\t*)(?P<type>[A-Za-z_]\w*(?: [A-Za-z_]\w*)*) "
    r"(?P<stars>\**)(?P<name>[A-Za-z_]\w*)(?P<rest>;|,| =|\[| :|\().*$")
COMMENT = re.compile(r"^(?P<code>.*\S)[ \t]+(?P<comment>/\*.*)$")
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/\*.*?\*/')


def width(text):
    column = 0
    for char in text:
        column = (column // TAB + 1) * TAB if char == "\t" else column + 1
    return column


def fill(start, end):
    """White space from column start to column end, as tabs where they fit.

    As in pgindent's output, the last tab is never one column wide.
    """
    text = ""
    while start < end:
        stop = (start // TAB + 1) * TAB
        if stop > end or (stop - start == 1 and stop + TAB > end):
            return text + " " * (end - start)
        text += "\t"
        start = stop
    return text


def align_declaration(line):
    match = DECLARATION.match(line)
    if not match or match["type"].split()[0] in NOT_TYPES:
        return line
    if match["rest"] == "(" and (
            match["indent"] or match["type"].split()[0] not in ("static", "extern")):
        return line
    start = width(match["indent"]) + len(match["type"])
    target = width(match["indent"]) + NAME_COLUMN - len(match["stars"])
    gap = fill(start, target) if target > start else " "
    return (match["indent"] + match["type"] + gap +
            line[match.start("stars"):])


def align_comment(line):
    match = COMMENT.match(line)
    # The last "/*" outside of strings; a line that is all comment stays.
    if not match or "/*" in LITERAL.sub("", match["code"]):
        return line
    start = width(match["code"])
    if start < COMMENT_COLUMN:
        return match["code"] + fill(start, COMMENT_COLUMN) + match["comment"]
    return match["code"] + " " + match["comment"]


def repair_lines(lines):
    """Undo clang-format's breaks at "[" and before the end of a long list."""
    result = []
    opener = ""
    for line in lines:
        if line.lstrip().startswith("[") and result and result[-1].endswith(")"):
            result[-1] += line.lstrip()
        elif line.endswith("};") and line.strip() != "};" and line.count("}") > line.count("{"):
            result += [line[:-2], opener + "};"]
        else:
            result.append(line)
        if line.endswith("{"):
            opener = line[:len(line) - len(line.lstrip())]
    return result


def move(line, shift):
    body = line.lstrip()
    if not body:
        return line
    return fill(0, width(line[:len(line) - len(body)]) + shift) + body


def align(lines):
    result = []
    depth = shift = comment_column = 0
    in_comment = False
    for line in repair_lines(lines):
        code = LITERAL.sub("", line)
        if in_comment:
            if comment_column:
                line = fill(0, comment_column + 1) + line.lstrip()
            else:
                line = move(line, shift)
            in_comment = "*/" not in code
            result.append(line)
            continue
        if not code.startswith("#"):
            old = width(line)
            if depth == 0:
                line = align_declaration(line)
                shift = width(line) - old
            else:
                line = move(line, shift)
            depth = max(0, depth + code.count("(") - code.count(")"))
        line = align_comment(line)
        if "/*" in code:
            in_comment = True
            comment_column = width(line[:line.rindex("/*")])
            if not line[:line.rindex("/*")].strip():
                comment_column = 0
        result.append(line)
    return result


OFF = "/* clang-format off */"
ON = "/* clang-format on */"


def protect_macros(lines):
    """Put OFF and ON around each definition of a macro."""
    result = []
    inside = False
    for line in lines:
        if not inside and re.match(r"#\s*define\b", line):
            result.append(OFF)
            inside = True
        result.append(line)
        if inside and not line.endswith("\\"):
            result.append(ON)
            inside = False
    return result


def split_macros(lines):
    """Undo protect_macros: pairs (is a macro, lines)."""
    parts = [(False, [])]
    for line in lines:
        if line.strip() == OFF:
            parts.append((True, []))
        elif line.strip() == ON:
            parts.append((False, []))
        else:
            parts[-1][1].append(line)
    return parts


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    formatted = subprocess.run(
        ["clang-format-14", "--style=file", f"--assume-filename={path}"],
        input="\n".join(protect_macros(lines)) + "\n",
        capture_output=True, text=True, check=True).stdout
    for is_macro, part in split_macros(formatted.splitlines()):
        for line in part if is_macro else align(part):
            print(line)


main()
