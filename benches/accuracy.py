#!/usr/bin/env python3
"""Measures what logveil finds and what it takes by mistake.

    accuracy.py --cases DIR      recall and false findings on labelled cases, and recall on mutations made of them
    accuracy.py --edge FILE      hard lines: what must go, what must stay, what must still be JSON
    accuracy.py --lines DIR      every kind of finding in real lines, under the policies `default` and `everything`
    accuracy.py --clean FILE     the same in lines that hold nothing: each finding is wrong

Each may be given alone. What is printed is Markdown, and shows no value unless --misses or --show-values asks for it.
The program is $LOGVEIL, else target/release/logveil.

A labelled case is an object a line: `source`, `entity`, `text`, `expect` (`hit` or `clean`), `spans` (offsets in
bytes), `mode` (`whole`: the text was a bare value, and is set in a field named after its entity). A clean case with
`clean_scope: rule`, or one that is `ambiguous` or `contradicted`, says nothing about the text as a whole and is left
out. An edge line has `id`, `in`, `hide`, `keep`, and maybe `json` and `class`.

The list given by --wrong names findings of real lines that a reader has judged: `fingerprint entity reason` a line,
where the fingerprint is the first twelve hexadecimal digits of the SHA-256 of entity, a space, and value.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import mutations  # noqa: E402  (stands beside this file)

SECRETS = re.compile(r".*_(key|token)|generic_secret|password_field|private_key|bcrypt_hash")
CORE = {"ipv4", "ipv6", "email", "mac", "credit_card", "iban", "jwt", "url_credentials"}
NATIONAL = re.compile(
    r"us_(ssn|itin)|uk_(nino|nhs)|de_tax_id|es_nif|it_fiscal_code|pl_pesel|fi_.*|se_personnummer|in_(aadhaar|pan)"
    r"|imei|phone|natid_(brazilian_cpf|chinese_id|dutch_bsn|finnish_hetu|france_ssn|nir|polish_national_id|spain_dni|sweden_pin)"
)

# What the program calls an entity that the cases name otherwise; without an entry the names are equal.
NAMES = {
    "credit_card": {"card"},
    "url_credentials": {"url_credentials", "connection_string", "password"},
}
# What a secret is not: these found in a text that holds no secret are no false finding of a secret.
PERSONAL = {"ipv4", "ipv6", "mac", "email", "phone", "card", "iban", "uuid", "hostname", "url", "username", "user_id",
            "person_name"}

# A secret counts as hidden when this share of its bytes is: a quote left over does not matter, half a token does.
HIDDEN_SHARE = 0.9

Found = collections.namedtuple("Found", "start end entity rule value")


def group_of(entity):
    """The group whose bar an entity counts for; None for those without a bar."""
    if entity in CORE:
        return "core"
    if SECRETS.fullmatch(entity):
        return "secrets"
    return "national" if NATIONAL.fullmatch(entity) else None


class Program:
    """One binary under one policy."""

    def __init__(self, policy):
        self.binary = os.environ.get("LOGVEIL", "target/release/logveil")
        self.policy = policy

    def run(self, verb, *args, data=None):
        command = [self.binary, verb, "--policy", self.policy, "--quiet", *args]
        done = subprocess.run(command, input=data, capture_output=True)
        if done.returncode:
            sys.exit(f"{verb} ended with {done.returncode}: {done.stderr.decode(errors='replace')[:400]}")
        return done.stdout

    def scan(self, files):
        """All findings in files, as (file, line, found)."""
        out = self.run("scan", "--format", "json", "--show-values", "--", *map(str, files))
        for text in out.splitlines():
            told = json.loads(text)
            found = Found(told["start"], told["end"], told["entity"], told["rule"], told.get("value", ""))
            yield told["file"], told["line"], found

    def find(self, records):
        """The findings in each record. All records of a line go in one file, the others in one each."""
        results = [[] for _ in records]
        with tempfile.TemporaryDirectory() as folder:
            lines, files, names = [], [], {}
            for index, record in enumerate(records):
                if b"\n" in record or b"\r" in record:
                    path = pathlib.Path(folder, str(index))
                    path.write_bytes(record + b"\n")
                    names[str(path)] = (index, line_starts(record))
                    files.append(path)
                else:
                    lines.append(index)
            together = pathlib.Path(folder, "lines")
            together.write_bytes(b"".join(records[index] + b"\n" for index in lines))
            for at in range(0, len(files) + 1, 1000):
                batch = files[at:at + 1000] + ([together] if at == 0 else [])
                for name, line, found in self.scan(batch):
                    if name == str(together):
                        results[lines[line - 1]].append(found)
                        continue
                    index, starts = names[name]
                    shift = starts[line - 1]
                    results[index].append(found._replace(start=found.start + shift, end=found.end + shift))
        return results


def line_starts(record):
    return [0] + [at + 1 for at, byte in enumerate(record) if byte == 10]


def to_bytes(text):
    """Lone surrogates stand for bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


# Labelled cases

class Case:
    """A label, and the record that it is measured in."""

    def __init__(self, raw):
        self.source = raw["source"].split(":")[0].split(" ")[0]
        self.entity = raw["entity"]
        self.group = group_of(self.entity)
        self.hit = raw["expect"] == "hit"
        self.whole = raw.get("mode") == "whole"
        self.text = to_bytes(raw["text"])
        self.spans = [tuple(span) for span in raw.get("spans") or []]
        lead = to_bytes(self.entity) + b"=" if self.whole else b""
        self.record = lead + self.text + (b" ok" if self.whole else b"")
        self.shift = len(lead)

    def spans_in_record(self):
        return [(start + self.shift, end + self.shift) for start, end in self.spans]

    def is_hidden(self, findings):
        if not self.spans:
            return bool(findings)
        return all(is_covered(span, findings) for span in self.spans_in_record())

    def is_false(self, findings):
        """Whether something of the label's own family was found where none is."""
        own = [found for found in findings if self.is_own(found.entity)]
        if self.whole:
            # It is no such value as a whole; a part of it may well be one.
            end = self.shift + len(self.text)
            own = [found for found in own if found.start <= self.shift and found.end >= end]
        return bool(own)

    def is_own(self, entity):
        if self.group == "secrets":
            return entity not in PERSONAL
        return entity == self.entity or entity in NAMES.get(self.entity, ())


def is_covered(span, findings):
    start, end = span
    hidden = set()
    for found in findings:
        hidden.update(range(max(start, found.start), min(end, found.end)))
    return end > start and len(hidden) >= HIDDEN_SHARE * (end - start)


def read_cases(folder):
    cases = []
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            silent = raw.get("clean_scope") == "rule" or raw.get("ambiguous")
            if not raw.get("text") or raw.get("contradicted") or (raw["expect"] == "clean" and silent):
                continue
            case = Case(raw)
            if case.group:
                cases.append(case)
    return cases


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "–"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def tell_labelled(cases, results, misses):
    """Recall and false findings by group and source, then by entity."""
    for name, key in (("source", lambda case: case.source), ("entity", lambda case: case.entity)):
        rows = collections.defaultdict(lambda: [0, 0, 0, 0])
        for case, findings in zip(cases, results):
            for label in (key(case), "**all**"):
                row = rows[case.group, label]
                if case.hit:
                    row[0] += 1
                    row[1] += case.is_hidden(findings)
                else:
                    row[2] += 1
                    row[3] += case.is_false(findings)
        table(
            ["group", name, "hits", "hidden", "", "clean", "false", ""],
            ([group, label, a, b, share(b, a), c, d, share(d, c)] for (group, label), (a, b, c, d) in sorted(rows.items())),
        )
    for case, findings in zip(cases, results):
        missed = case.hit and not case.is_hidden(findings)
        if misses and (missed or not case.hit and case.is_false(findings)):
            print(f"    {'missed' if missed else 'false'} {case.group} {case.source} {case.entity}: {case.text[:misses]!r}")


# Mutations

def tell_mutations(program, cases, results, seed, misses):
    """Recall on records made of the hits: of all hits, and of those that are hidden as they were written."""
    print(f"Mutations, seed {seed}.\n")
    made = []
    for number, (case, findings) in enumerate(zip(cases, results)):
        if not case.hit or not case.spans:
            continue
        # Each case has a generator of its own, so that one case more does not change all others.
        rng = random.Random(f"{seed} {number}")
        hidden = case.is_hidden(findings)
        for kind, name, record, spans in mutations.of(case, rng):
            made.append((case, hidden, kind, name, record, spans))
    found = program.find([record for *_, record, _ in made])
    by_kind = collections.defaultdict(lambda: [0, 0, 0, 0])
    by_name = collections.defaultdict(lambda: [0, 0, 0, 0])
    for (case, hidden, kind, name, record, spans), findings in zip(made, found):
        holds = all(is_covered(span, findings) for span in spans)
        for row in (by_kind[case.group, kind], by_kind[case.group, "**all**"], by_name[kind, name]):
            row[0] += 1
            row[1] += holds
            row[2] += hidden
            row[3] += hidden and holds
        if misses and hidden and not holds:
            print(f"    lost {case.group} {case.entity} {kind} {name}: {record[:misses]!r}")
    for head, rows in ((["group", "mutation"], by_kind), (["mutation", "form"], by_name)):
        table(
            [*head, "records", "hidden", "of cases hidden as written", "hidden"],
            ([*key, a, share(b, a), c, share(d, c)] for key, (a, b, c, d) in sorted(rows.items())),
        )


# Edge lines

def tell_edge(program, path):
    failed, count = [], 0
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        count += 1
        named = ["--class", case["class"]] if case.get("class") else []
        out = program.run("redact", *named, "-", data=to_bytes(case["in"]) + b"\n")
        again = program.run("redact", *named, "-", data=out)
        why = ["still there"] if any(to_bytes(text) in out for text in case["hide"]) else []
        why += ["lost"] if any(to_bytes(text) not in out for text in case["keep"]) else []
        why += ["changed by a second pass"] if again != out else []
        why += ["no longer JSON"] if case.get("json") and not is_json(out) else []
        if why:
            failed.append((case["id"], ", ".join(why)))
    print(f"Edge lines: {count - len(failed)} of {count} hold.\n")
    for name, why in failed:
        print(f"    {name}: {why}")


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# Real lines

def fingerprint(found):
    return hashlib.sha256(f"{found.entity} {found.value}".encode("utf-8", "surrogateescape")).hexdigest()[:12]


def mask(value):
    """The shape of a value: what kind of byte stands where, and no byte of it but punctuation."""
    shape = re.sub(r"\d", "9", re.sub(r"[^\W\d_]", lambda sign: "A" if sign.group().isupper() else "a", value))
    shape = re.sub(r"(.)\1{4,}", lambda run: f"{run[1]}{{{len(run[0])}}}", shape)
    return shape[:40].replace("|", "\\|").replace("`", "'")


def read_wrong(path):
    if not path:
        return {}
    rows = (line.split(maxsplit=2) for line in pathlib.Path(path).read_text().splitlines())
    return {row[0]: row[2] for row in rows if row and row[0] != "#"}


def tell_lines(program, files, wrong, show):
    """Findings by rule, and those that a reader has judged wrong."""
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    counts, values, errors = collections.Counter(), collections.defaultdict(set), collections.Counter()
    judged = 0
    for _, _, found in program.scan(files):
        counts[found.entity, found.rule] += 1
        values[found.entity, found.rule].add(found.value)
        if (mark := fingerprint(found)) in wrong:
            judged += 1
            errors[found.entity, found.rule, mask(found.value), wrong[mark]] += 1
    print(f"Policy {program.policy}, {lines} lines: {sum(counts.values())} findings, "
          f"{judged} of them wrong, {10_000 * judged / max(lines, 1):.1f} in 10,000 lines.\n")
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    table(["entity", "rule", "findings", "distinct"], ([*key, count, len(values[key])] for key, count in rows))
    if errors:
        table(["entity", "rule", "shape", "why it is wrong", "findings"],
              ([entity, rule, f"`{shape}`", why, count] for (entity, rule, shape, why), count in errors.most_common()))
    for (entity, rule), distinct in sorted(values.items()) if show else ():
        for value in sorted(distinct)[:show]:
            print(f"    {fingerprint(Found(0, 0, entity, rule, value))} {entity} {rule} {value!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", metavar="DIR")
    parser.add_argument("--edge", metavar="FILE")
    parser.add_argument("--lines", metavar="DIR")
    parser.add_argument("--clean", metavar="FILE")
    parser.add_argument("--wrong", metavar="FILE", help="findings of real lines that were judged wrong")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations [default: 1]")
    parser.add_argument("--no-mutations", action="store_true")
    parser.add_argument("--group", choices=("core", "secrets", "national"), help="only the cases of this group")
    parser.add_argument("--misses", type=int, default=0, metavar="BYTES", help="show this much of each missed text")
    parser.add_argument("--show-values", type=int, default=0, metavar="N", help="show N values of each rule")
    args = parser.parse_args()
    everything = Program("everything")
    if args.edge:
        tell_edge(everything, args.edge)
    if args.cases:
        cases = [case for case in read_cases(args.cases) if args.group in (None, case.group)]
        results = everything.find([case.record for case in cases])
        tell_labelled(cases, results, args.misses)
        if not args.no_mutations:
            tell_mutations(everything, cases, results, args.seed, args.misses)
    if args.lines:
        files = sorted(path for path in pathlib.Path(args.lines).rglob("*.log"))
        for policy in ("default", "everything"):
            tell_lines(Program(policy), files, read_wrong(args.wrong), args.show_values)
    if args.clean:
        for policy in ("default", "everything"):
            tell_lines(Program(policy), [pathlib.Path(args.clean)], {}, args.show_values)


if __name__ == "__main__":
    main()
