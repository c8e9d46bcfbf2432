"""Records made of labelled cases: the same values under other keys, in other notations, beside other neighbours,
and other values of the same shape. A rule that only fits the text it was shown loses these first."""

import json
import re
from string import ascii_lowercase, ascii_uppercase, digits as ascii_digits
import urllib.parse

# Keys that a value of an entity may stand under in somebody's log. What is found without a key gets any.
ANY_KEYS = ["value", "data", "detail", "arg0"]
SECRET_KEYS = ["secret", "apiKey", "AUTH_TOKEN", "db_password", "client-secret", "x.access.token"]
NATIONAL_KEYS = {
    "us_ssn": ["ssn", "SSN", "social_security_number"],
    "us_itin": ["itin"],
    "uk_nino": ["nino", "national_insurance_number"],
    "uk_nhs": ["nhs_number", "nhsNumber"],
    "de_tax_id": ["steuer_id", "tax_id"],
    "es_nif": ["nif", "dni"],
    "it_fiscal_code": ["codice_fiscale", "fiscal_code"],
    "pl_pesel": ["pesel", "PESEL"],
    "se_personnummer": ["personnummer"],
    "in_aadhaar": ["aadhaar", "aadhaar_number"],
    "in_pan": ["pan_number"],
    "imei": ["imei", "IMEI"],
    "phone": ["phone", "mobile", "phoneNumber", "tel"],
    "natid_brazilian_cpf": ["cpf"],
    "natid_dutch_bsn": ["bsn"],
    "natid_finnish_hetu": ["hetu"],
    "natid_polish_national_id": ["pesel"],
    "natid_sweden_pin": ["personnummer"],
}

PLAIN = re.compile(rb"[A-Za-z0-9._~/+=@:-]+")
PRINTABLE = re.compile(rb"[ -~]+")


def percent(value):
    return urllib.parse.quote_from_bytes(value, safe="").encode()


def as_json(value):
    return json.dumps(value.decode("ascii")).encode()


def xml(value):
    return value.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def quoted(value, quote):
    return quote + value.replace(b"\\", b"\\\\").replace(quote, b"\\" + quote) + quote


DIGITS, LOWER, UPPER = ascii_digits.encode(), ascii_lowercase.encode(), ascii_uppercase.encode()

# name, what stands before, the value's form, what stands behind, which values can be written so
NOTATIONS = [
    ("JSON", b'{"ts":1,"%s":', as_json, b',"n":2}', PRINTABLE),
    ("JSON, spaced", b'{ "%s" : ', as_json, b" }", PRINTABLE),
    ("JSON in a JSON string", b'{"body":"{\\"%s\\":\\"', lambda v: json.dumps(as_json(v).decode()).encode()[3:-3], b'\\"}"}', PRINTABLE),
    ("JSON, nested", b'{"a":{"b":[{"%s":', as_json, b"}]}}", PRINTABLE),
    ("logfmt", b"level=info %s=", bytes, b" n=2", PLAIN),
    ("logfmt, quoted", b"level=info %s=", lambda v: quoted(v, b'"'), b" n=2", PRINTABLE),
    ("query", b"GET /a?x=1&%s=", percent, b"&y=2 HTTP/1.1", PRINTABLE),
    ("form", b"%s=", percent, b"&y=2", PRINTABLE),
    ("YAML", b"  %s: ", bytes, b"", PLAIN),
    ("YAML, quoted", b"  %s: ", lambda v: b"'" + v.replace(b"'", b"''") + b"'", b"", PRINTABLE),
    ("XML", b"<a><%s>", xml, b"</%s></a>", PRINTABLE),
    ("XML attribute", b'<a %s="', lambda v: xml(v).replace(b'"', b"&quot;"), b'"/>', PRINTABLE),
    ("header", b"X-%s: ", bytes, b"", PLAIN),
    ("command line", b"run --%s ", bytes, b" --dry", PLAIN),
    ("command line, =", b"run --%s=", lambda v: quoted(v, b'"'), b" --dry", PRINTABLE),
    ("shell", b"export %s=", lambda v: quoted(v, b'"'), b"", PRINTABLE),
    ("Python", b"{'%s': ", lambda v: quoted(v, b"'"), b", 'n': 2}", PRINTABLE),
    ("Ruby", b":%s => ", lambda v: quoted(v, b'"'), b", :n => 2", PRINTABLE),
    ("PHP", b"$c['%s'] = ", lambda v: quoted(v, b"'"), b";", PRINTABLE),
    ("TOML", b"%s = ", lambda v: quoted(v, b'"'), b"", PRINTABLE),
]

NEIGHBOURS = [
    ("in brackets", b"[", b"]"),
    ("in parentheses", b"(", b")"),
    ("in angle brackets", b"<", b">"),
    ("behind a colon", b"got: ", b""),
    ("before a comma", b"", b", done"),
    ("before a full stop", b"", b". Done"),
    ("before a semicolon", b"", b"; done"),
    ("at a line's end", b"2031-04-05T06:07:08Z app[12]: ", b""),
    ("at a line's start", b"", b" - took 12 ms"),
    ("between tabs", b"a\t", b"\tb"),
    ("between pipes", b"a | ", b" | b"),
]


def of(case, rng):
    """Yields (kind, form, record, spans that must be hidden) for a labelled hit."""
    yield from neighbours(case)
    yield from redrawn(case, rng)
    # The password of a URL without its URL is no credential of one.
    alone = case.entity == "url_credentials" and case.text != case.text[slice(*case.spans[0])]
    if len(case.spans) == 1 and not alone and not whole_texts(case):
        start, end = case.spans[0]
        yield from fields(case, case.text[start:end], rng)


def whole_texts(case):
    """Whether the value is no value of a field: it spans lines, or is empty."""
    start, end = case.spans[0]
    value = case.text[start:end]
    return not PRINTABLE.fullmatch(value) or value.strip() != value


def keys(case):
    if case.group == "core":
        return ANY_KEYS
    return SECRET_KEYS if case.group == "secrets" else NATIONAL_KEYS.get(case.entity, [case.entity])


def fields(case, value, rng):
    """The value in every notation, and under every key."""
    names = [key.encode() for key in keys(case)]
    for name, before, form, behind, fits in NOTATIONS:
        if fits.fullmatch(value):
            yield "notation", name, *field(rng.choice(names), before, form(value), behind)
    for key in names:
        yield "key", key.decode() if case.group != "national" else "own keys", *field(key, b'at=1 %s="', value.replace(b'"', b'\\"'), b'" b=2')


def field(key, before, value, behind):
    before = before.replace(b"%s", key)
    record = before + value + behind.replace(b"%s", key)
    quotes = value[:1] in (b'"', b"'") and value[-1:] == value[:1] and len(value) > 1
    return record, [(len(before) + quotes, len(before) + len(value) - quotes)]


def neighbours(case):
    for name, before, behind in NEIGHBOURS:
        inner, spans = case.record[:case.shift + len(case.text)], case.spans_in_record()
        if case.group == "national" and spans == [(0, len(inner))]:
            # A bare number is nobody's in a sentence: it gets the field that a whole value gets.
            lead = case.entity.encode() + b"="
            inner, spans = lead + inner, [(len(lead), len(lead) + len(inner))]
        spans = [(start + len(before), end + len(before)) for start, end in spans]
        yield "neighbour", name, before + inner + behind, spans


def redrawn(case, rng):
    """The text with other random characters in its values, three times."""
    values = [case.record[start:end] for start, end in case.spans_in_record()]
    for _ in range(3):
        drawn = [redraw(case.entity, value, rng) for value in values]
        if None in drawn:
            return
        record = case.record
        for (start, end), value in zip(case.spans_in_record(), drawn):
            record = record[:start] + value + record[end:]
        yield "other random part", "same mark, shape and checksum", record, case.spans_in_record()


# Other values of the same shape

def redraw(entity, value, rng):
    """Another value of the same length and shape, or None where its rules are not known here."""
    if entity in CHECKED:
        keep, check = CHECKED[entity]
        return checked(value, keep, check, rng)
    if entity in ("phone", "uk_nino"):
        return value[:4] + re.sub(rb"[0-9]", lambda _: bytes([rng.choice(DIGITS[2:])]), value[4:8]) + value[8:]
    if entity == "ipv4":
        return address(value, rng)
    if entity in ("ipv6", "mac"):
        return draw(value, 0, rng, True) if re.fullmatch(rb"[0-9A-Fa-f: -]+", value) else None
    if entity == "email":
        return draw(value[:value.find(b"@")], 0, rng) + value[value.find(b"@"):] if b"@" in value and b"%" not in value else None
    if entity == "url_credentials":
        return credentials(value, rng)
    return token(entity, value, rng)


def draw(value, keep, rng, hexadecimal=False):
    """Draws letters for letters and digits for digits from `keep` on; a run of hexadecimal digits stays one."""
    return value[:keep] + re.sub(rb"[A-Za-z0-9]+", lambda run: draw_run(run[0], rng, hexadecimal), value[keep:])


def draw_run(run, rng, hexadecimal):
    is_hex = hexadecimal or len(run) >= 4 and re.fullmatch(rb"[0-9a-f]+|[0-9A-F]+|[0-9a-fA-F]{32,}", run)
    kinds = (b"0123456789", b"abcdef", b"ABCDEF") if is_hex else (DIGITS, LOWER, UPPER)
    return bytes(rng.choice(next(kind for kind in kinds if byte in kind)) for byte in run)


# Marks that stand inside of a token.
INNER_MARKS = (b"T3BlbkFJ", b":AA", b"Q~")


def token(entity, value, rng):
    """A secret with its mark: what stands before the last dash or the like of its first 16 bytes, else four bytes."""
    if any(sign in value for sign in (b"-----", b"AGE-SECRET", b"\n", b"\\", b"%")):
        return None  # a key's own encoding, a checksum that is not known here, or escapes
    head = max(value.rfind(sign, 0, 16) for sign in (b"_", b"-", b".", b":", b"$")) + 1
    head = max(head, value.rfind(b"/") + 1 if b"://" in value else 0)
    head = max([head] + [value.find(mark) + len(mark) for mark in INNER_MARKS if mark in value])
    if value.startswith(b"eyJ") or b"_eyJ" in value or b"=" in value[:-2] or b"|" in value:
        head = max(len(value) - 16, 0)
    if not head and len(value) >= 20:
        head = 0 if re.fullmatch(rb"[0-9a-f-]+|[0-9A-F-]+", value) else 4
    if value.endswith(b"NRAL") or not head and entity == "generic_secret":
        head = max(head, 6)
    return draw(value, head, rng) if len(value) - head >= 4 else None


def address(value, rng):
    if not re.fullmatch(rb"\d{1,3}(\.\d{1,3}){3}", value):
        return None
    ranges = {1: (1, 10), 2: (10, 100), 3: (100, 250)}
    return b".".join(b"%d" % rng.randrange(*ranges[len(part)]) if len(part) < 4 else part for part in value.split(b"."))


def credentials(value, rng):
    found = re.search(rb"//[^/@:]*:([^/@]+)@", value)
    if not found:
        return draw(value, 0, rng) if PLAIN.fullmatch(value) and b"/" not in value else None
    return value[:found.start(1)] + draw(found[1], 0, rng) + value[found.end(1):]


def checked(value, keep, check, rng):
    """Draws until the checksum holds; None if it does not hold for the value itself."""
    if not check(value.decode("ascii", "replace")):
        return None
    for _ in range(20_000):
        drawn = draw(value, keep, rng)
        if check(drawn.decode("ascii")):
            return drawn
    return None


def only_digits(text):
    return [int(sign) for sign in text if sign in ascii_digits]


def luhn(text):
    digits = only_digits(text)[::-1]
    return sum(digit if at % 2 == 0 else digit * 2 // 10 + digit * 2 % 10 for at, digit in enumerate(digits)) % 10 == 0


def weighted(weights, remainder, length):
    """A check of the weighted sum of all digits."""
    def check(text):
        digits = only_digits(text)
        return len(digits) == length and remainder(sum(map(int.__mul__, digits, weights)))
    return check


def mod_97(text):
    text = re.sub(r"[^A-Za-z0-9]", "", text).upper()
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1


def cpf(text):
    digits = only_digits(text)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    return all(sum(map(int.__mul__, digits[:n], range(n + 1, 1, -1))) * 10 % 11 % 10 == digits[n] for n in (9, 10))


def verhoeff(text):
    state = 0
    for at, digit in enumerate(only_digits(text)[::-1]):
        for _ in range(at % 8):
            digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
        state = dihedral(state, digit)
    return state == 0 and only_digits(text)[0] > 1


def dihedral(a, b):
    """The product in the group of a pentagon's turns (0 to 4) and mirrorings (5 to 9)."""
    if a < 5:
        return (a + b) % 5 + (0 if b < 5 else 5)
    return (a - b) % 5 + 5 if b < 5 else (a - b) % 5


def never_zero(text):
    return only_digits(text)[-4:] != [0, 0, 0, 0]


# How many bytes stay (a date, a country, an issuer), and what must hold of the whole.
CHECKED = {
    "credit_card": (6, luhn),
    "iban": (8, mod_97),
    "imei": (8, luhn),
    "uk_nhs": (3, weighted([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], lambda total: total % 11 == 0, 10)),
    "pl_pesel": (6, weighted([1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], lambda total: total % 10 == 0, 11)),
    "natid_polish_national_id": (6, weighted([1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], lambda total: total % 10 == 0, 11)),
    "natid_dutch_bsn": (1, weighted([9, 8, 7, 6, 5, 4, 3, 2, -1], lambda total: total % 11 == 0, 9)),
    "natid_brazilian_cpf": (0, cpf),
    "in_aadhaar": (1, verhoeff),
    "us_ssn": (7, never_zero),
}
for unknown in ("us_itin", "de_tax_id", "es_nif", "it_fiscal_code", "se_personnummer", "in_pan", "fi_personal_identity_code",
                "natid_chinese_id", "natid_finnish_hetu", "natid_france_ssn", "natid_nir", "natid_spain_dni", "natid_sweden_pin"):
    CHECKED.setdefault(unknown, (0, lambda text: False))
