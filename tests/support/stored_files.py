# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contents of stored credentials in every permitted layout, and of files that are no credentials. Must run on every Python of gateways."""

from __future__ import annotations

import json

from hypothesis import strategies as st

KEY, NAME, SECRET = "a1IoKTestP1", "gw_1@x.y:z-1", "AZaz09-_.+/=AZaz0123456789abcdef"
TOKEN, CLIENT_ID = "^1^AZaz09-_.+/=@:,%", "client.of-5"
# A credential as the collection writes it, and as people and their tools do.
LINE = f'{{"deviceName":"{NAME}","deviceSecret":"{SECRET}","productKey":"{KEY}"}}\n'
TOKEN_LINE = f'{{"clientId":"{CLIENT_ID}","deviceName":"{NAME}","deviceToken":"{TOKEN}","productKey":"{KEY}"}}\n'
PRETTY = json.dumps(json.loads(LINE), indent=2)
TOKEN_PRETTY = json.dumps(json.loads(TOKEN_LINE), indent=4)
MORE = LINE.replace("}", ',"more":%s}')

# Contents of files by their special feature.
RIGHT = {
    "one line": LINE,
    "without a last line end": LINE.rstrip("\n"),
    "indented": PRETTY,
    "indented by tabs": json.dumps(json.loads(LINE), indent="\t"),
    "line ends of DOS": PRETTY.replace("\n", "\r\n") + "\r\n",
    "line ends of long ago": PRETTY.replace("\n", "\r"),
    "another order": f'{{"productKey":"{KEY}","deviceSecret":"{SECRET}","deviceName":"{NAME}"}}\n',
    "a field between": f'{{"productKey":"{KEY}","model":"x","deviceName":"{NAME}","deviceSecret":"{SECRET}"}}\n',
    "blanks around everything": f' \n{{ "productKey" :\t"{KEY}" , "deviceName"\r\n:\n"{NAME}"\n,"deviceSecret": "{SECRET}"\n}}\n\n ',
    "blanks up to the limit": LINE + " " * (4096 - len(LINE)),
    "many fields": LINE.replace("}", "".join(f',"field{number}":{number}' for number in range(200)) + "}"),
    **{f"further: {value}": MORE % value for value in ("true", "false", "null", "0", "-0.5e+10", "1E5", "12", '""')},
    "further: up to the limit": MORE % f'"{"x" * (4096 - len(MORE))}"',
    "further: marks of JSON": MORE % '"{},:[]\'}"',
    "further: escapes": MORE % r'"\"\\\/\b\f\n\r\t\u00e4\u7F51\"},\"deviceName\":\"x\\"',
    "further: names that are alike": LINE.replace("}", ',"devicename":"x","deviceName ":"x","":"x"}'),
}
RIGHT_TOKENS = {
    "one line": TOKEN_LINE,
    "indented": TOKEN_PRETTY,
    "another order": json.dumps(dict(reversed(list(json.loads(TOKEN_LINE).items())))),
    "a further field": TOKEN_LINE.replace("{", '{"more":true,'),
}
WRONG = {
    "empty": "",
    "a line end": "\n",
    "no JSON": "garbage\n",
    "NULs": "\0\0\0\0",
    "an empty object": "{}\n",
    "an array": f'["deviceName","{NAME}","deviceSecret","{SECRET}","productKey","{KEY}"]\n',
    "an array of pairs": json.dumps([[name, value] for name, value in json.loads(LINE).items()]),
    "in an array": f"[{LINE}]",
    "in an object": f'{{"device":{LINE}}}',
    "a string": json.dumps(LINE),
    "twice": LINE + LINE,
    "cut off": LINE[:40],
    "without the brace": LINE.rstrip("\n}"),
    "without the first brace": LINE[1:],
    "something behind it": LINE + "x",
    "a brace behind it": LINE + "}",
    "a NUL behind it": LINE + "\0",
    "NULs and more behind it": LINE + "\0\0x",
    "a NUL before it": "\0" + LINE,
    "the separator of records behind it": LINE + "\1",
    "the separator of records before it": "\1" + LINE,
    "the separator of records between": LINE + "\1" + LINE,
    "a form feed": LINE + "\f",
    "a byte order mark": "\ufeff" + LINE,
    "a comma at the end": LINE.replace("}", ",}"),
    "a comma at the start": LINE.replace("{", "{,"),
    "two commas": LINE.replace(",", ",,", 1),
    "no comma": LINE.replace(",", " ", 1),
    "no colon": LINE.replace('":', '" ', 1),
    "two colons": LINE.replace('":', '"::', 1),
    "an equals sign": LINE.replace('":', '"=', 1),
    "a comma for a colon": LINE.replace('":', '",', 1),
    "single quotes": LINE.replace('"', "'"),
    "no quotes": LINE.replace('"', ""),
    "a quote too many": LINE.replace('",', '"",', 1),
    "a name alone": LINE.replace("}", ',"more"}'),
    "a comment": "# a comment\n" + LINE,
    "too long": LINE + " " * (4097 - len(LINE)),
    "not the name": LINE.replace("deviceName", "name"),
    "not the secret": LINE.replace("deviceSecret", "secret"),
    "no ProductKey": f'{{"deviceName":"{NAME}","deviceSecret":"{SECRET}"}}\n',
    "no secret": f'{{"deviceName":"{NAME}","productKey":"{KEY}"}}\n',
    "a secret and a token": LINE.replace("}", f',"deviceToken":"{TOKEN}"}}'),
    "a secret and a client id": LINE.replace("}", f',"clientId":"{CLIENT_ID}"}}'),
    "a secret and an empty token": LINE.replace("}", ',"deviceToken":null}'),
    "both kinds": LINE.replace("}", f',"deviceToken":"{TOKEN}","clientId":"{CLIENT_ID}"}}'),
    "a token without a client id": TOKEN_LINE.replace("clientId", "client"),
    "a client id without a token": TOKEN_LINE.replace("deviceToken", "token"),
    **{
        f"a known field twice: {name}": LINE.replace("}", f',"{name}":"{value}"}}')
        for name, value in json.loads(LINE).items()
    },
    "a further field twice": LINE.replace("}", ',"x":1,"x":2}'),
    "a name with an escape": LINE.replace("deviceName", r"device\u004eame"),
    "a further name with an escape": LINE.replace("}", r',"device\u004eame":"x"}'),
    "a further name with DEL": LINE.replace("}", ',"x\x7f":"x"}'),
    "a line end in a name": LINE.replace("}", ',"x\n":"x"}'),
    **{f"further: {value!r}": MORE % value for value in ("{}", "[]", '{"x":1}', "[1]", "[[]]", "")},
    **{f"further: {value!r}": MORE % value for value in ("NaN", "Infinity", "-Infinity", "True", "nul", "undefined")},
    **{
        f"further: {value!r}": MORE % value
        for value in ("01", "1.", ".5", "-", "+1", "1e", "0x1", "1 2", "1_0", "-01", "1,2")
    },
    **{
        f"further: {value!r}": MORE % value
        for value in ('"a\tb"', '"a\nb"', '"a\x1bb"', '"a\0b"', '"a\x7fb"', '"\u00e4"')
    },
    **{
        f"further: {value!r}": MORE % value
        for value in (r'"\x"', r'"\u12"', r'"\u12g4"', r'"\"', "\\", r"\n", r'\"x"', '"x"y')
    },
    **{
        f"secret: {value!r}": LINE.replace(SECRET, value)
        for value in (
            "",
            "a b",
            "a\\\\b",
            'a\\"b',
            "a\\/b",
            "\\u0061",
            "a\nb",
            "\u00e4",
            "~root",
            "$(id)",
            "`id`",
            "a;b",
            "0" * 65,
            "^",
        )
    },
    **{
        f"name: {value!r}": LINE.replace(NAME, value)
        for value in ("", "abc", "a b c", "$(id)", "gw\\u002d1", "g" * 33, "gw_1/x")
    },
    **{f"key: {value!r}": LINE.replace(KEY, value) for value in ("", "a1/b", "a_b", "a" * 33)},
    **{f"{value} for a secret": LINE.replace(f'"{SECRET}"', value) for value in ("7", "null", "true", '["x"]', "{}")},
    "a token that is too long": TOKEN_LINE.replace(TOKEN, "a" * 257),
    "a client id that is too long": TOKEN_LINE.replace(CLIENT_ID, "a" * 65),
    "a blank in a token": TOKEN_LINE.replace(TOKEN, "a b"),
    "an empty token": TOKEN_LINE.replace(TOKEN, ""),
    "an empty client id": TOKEN_LINE.replace(CLIENT_ID, ""),
}

_blanks = st.sampled_from(["", "", "", " ", "\n", "\r\n", "\t", "  \n  "])
_names = st.sampled_from(
    ["more", "x", "", "devicename", "deviceName", "clientId", "deviceToken", "deviceSecret", "a\\u0062", "}", ":"]
)
_values = st.sampled_from(
    [
        "true",
        "false",
        "null",
        "0",
        "-1.5e3",
        '""',
        '"x"',
        '"{"',
        '"\\""',
        '"\\u00e4\\\\"',
        '","',
        "[]",
        "{}",
        "NaN",
        "01",
    ]
)
# Short pieces of JSON, and some that are invalid in JSON.
_pieces = st.sampled_from(
    [*'{}[]:,"\\ \n\t\r\0\1\x7f~x0-.e', "\u00e4", "true", "\\u0041", '\\"', '"deviceName"', LINE, "{}"]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return the content of a file that is a credential, or almost."""
    known = json.loads(draw(st.sampled_from([LINE, LINE, LINE, TOKEN_LINE])))
    members = [(name, json.dumps(value)) for name, value in known.items()]
    members += draw(st.lists(st.tuples(_names, _values), max_size=2))
    inside = ",".join(
        "".join((draw(_blanks), f'"{name}"', draw(_blanks), ":", draw(_blanks), value, draw(_blanks)))
        for name, value in draw(st.permutations(members))
    )
    text = "".join((draw(_blanks), "{", inside, "}", draw(_blanks)))
    for _number in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        piece = draw(st.just("") | _pieces)
        text = draw(
            st.sampled_from(
                [text[:at] + piece + text[at:], text[:at] + piece + text[at + 1 :], text[:at] + piece + text[end:]]
            )
        )
    return str(text).encode()
