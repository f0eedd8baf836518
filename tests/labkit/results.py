"""A strict reader of Authentication-Results (RFC 8601 section 2.2)."""


def _tokens(text):
    """Words, quoted strings (as tuples) and semicolons of the value, comments left out."""
    i = 0
    while i < len(text):
        c = text[i]
        if c in " \t":
            i += 1
        elif c == ";":
            yield c
            i += 1
        elif c == '"':
            end = i + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            if end >= len(text):
                raise ValueError("a quoted string does not end")
            yield (text[i:end + 1],)
            i = end + 1
        elif c == "(":
            depth, end = 1, i + 1
            while depth and end < len(text):
                if text[end] == "\\":
                    end += 1
                elif text[end] in "()":
                    depth += 1 if text[end] == "(" else -1
                end += 1
            if depth:
                raise ValueError("a comment does not end")
            i = end
        else:
            end = i
            while end < len(text) and text[end] not in " \t;\"(":
                end += 1
            if set(text[i:end]) & set(")\\<>[],") or "=?" in text[i:end]:
                raise ValueError(f"{text[i:end]!r} is no value")
            yield text[i:end]
            i = end


def parse(field):
    """(authserv-id, [(method, result)]) of a whole field; ValueError where it is none."""
    name, value = field.split(":", 1)
    if name.lower() != "authentication-results" or not value.endswith("\r\n"):
        raise ValueError("no such field, or its end is missing")
    value = value[:-2].replace("\r\n\t", "\t").replace("\r\n ", " ")
    if any(ord(c) < 32 and c != "\t" or 127 <= ord(c) < 160 for c in value):
        raise ValueError("a control octet")
    parts, part = [], []
    for token in _tokens(value):
        if token == ";":
            parts.append(part)
            part = []
        else:
            part.append(token)
    parts.append(part)
    if len(parts[0]) != 1:
        raise ValueError(f"authserv-id {parts[0]}")
    found = []
    for part in parts[1:]:
        if not part or isinstance(part[0], tuple) or part[0].count("=") != 1:
            raise ValueError(f"{part} is no result")
        found.append(tuple(part[0].split("=")))
        for i, token in enumerate(part[1:], 1):
            if isinstance(token, tuple):
                good = isinstance(part[i - 1], str) and part[i - 1].endswith("=")
            else:
                name, _, value = token.partition("=")
                good = name and (value or i + 1 < len(part) and isinstance(part[i + 1], tuple))
            if not good:
                raise ValueError(f"{part}: {token} is no property")
    return parts[0][0], found
