#!/usr/bin/python3
"""SPF beside Debian's python3-spf: random policies, the same question to both. Where the results
differ, it must be by one of the deviations listed here: mended there, it comes to what we say."""

import collections
import os
import random
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import spf_policies, tap, verify  # noqa: E402

import spf  # noqa: E402

SEED = int(os.environ.get("TEST_SEED", "7208"))
CASES = int(os.environ.get("TEST_CASES", "500"))

# What python3-spf does otherwise, and the section of RFC 7208 that speaks for us.
DEVIATIONS = {
    "void": "§4.6.4: terms, not questions, are counted for void look-ups; it counts those of exp= and %{p} too, "
            "which it asks before they are needed, and each MX host and alias",
    "redirect": "§4.6.4: a redirect= that is not reached is no look-up",
    "include": "§5.2: no rule forbids an include of the domain itself behind a term that matches",
    "unknown": "§6: an unknown modifier may be given any number of times",
    "case": "§4.6.1 and RFC 5234 §2.3: names of modifiers are case-insensitive",
    "ptr": "§5.5: an error of the PTR look-up matches nothing, and ends nothing",
    "delimiters": "§7.3: parts are joined by dots, not by what they were split at",
    "validated": "§7.3: %{p} is chosen anew for the domain of an include or redirect",
}

Outcome = collections.namedtuple("Outcome", "result explanation why")


class Unlike(str):
    """A domain that is not equal to itself."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        return False


class Peer(spf.query):
    """python3-spf, its DNS a world's records, some of its deviations mended."""

    def __init__(self, world, mended=()):
        self.world, self.mended, self.redirects = world, mended, 0
        super().__init__(i=world.client, s=world.sender, h=world.helo)

    def outcome(self):
        spf.DNSLookup = self.look_up
        spf.MAX_VOID_LOOKUPS = 1000 if "void" in self.mended else 2
        spf.JOINERS = dict.fromkeys("slodipvh" if "delimiters" in self.mended else "ls", ".")
        result, _, why = self.check()
        explained = result == "fail" and why != spf.EXPLANATIONS["fail"]
        return Outcome(result, why if explained else None, why)

    def look_up(self, name, kind, *_):
        values = self.world.look_up(name.lower().rstrip("."), kind)
        if values is None and (kind != "PTR" or "ptr" not in self.mended):
            raise spf.TempError("no answer")
        if kind == "TXT":
            return [((name, kind), [self.policy(text).encode()]) for text in values]
        return [((name, kind), value) for value in values or ()]

    def policy(self, text):
        if "case" in self.mended:
            text = re.sub(r" [A-Za-z]\w*=", lambda m: m[0].lower(), text)
        if "unknown" in self.mended:
            terms = text.split(" ")
            text = " ".join(re.sub(r"^(?!(?i:redirect|exp|v)=)([a-zA-Z][\w.-]*)=", rf"u{i}=", term)
                            for i, term in enumerate(terms))
        return text

    def validate_mechanism(self, mech):
        if "include" not in self.mended or "include" not in mech.lower():
            return super().validate_mechanism(mech)
        self.d = Unlike(self.d)
        try:
            return super().validate_mechanism(mech)
        finally:
            self.d = str(self.d)

    def getp(self):
        if "validated" in self.mended:
            self.p = None
        return super().getp()

    def check0(self, spf_text, recursion):
        self.redirects += "redirect=" in (spf_text or "").lower()
        return super().check0(spf_text, recursion)

    def check_lookups(self):
        """One more for each redirect= of the records met, which need not be reached."""
        if "redirect" in self.mended and self.lookups < spf.MAX_LOOKUP + self.redirects:
            self.lookups += 1
        else:
            super().check_lookups()


def zone(world):
    lines = []
    for name, records in world.records.items():
        for kind, values in records.items():
            if values is None:
                lines.append(f"{verify.owner(name)} 300 IN TIMEOUT {kind}\n")
            for value in values or ():
                if kind == "TXT":
                    lines.append(verify.txt(name, value.encode()))
                elif kind == "MX":
                    lines.append(f"{verify.owner(name)} 300 IN MX {value[0]} {value[1]}.\n")
                else:
                    lines.append(f"{verify.owner(name)} 300 IN {kind} {value}{'' if kind in ('A', 'AAAA') else '.'}\n")
    return "".join(lines)


def ours(world):
    got = verify.verify(zone(world), ip=world.client, helo=world.helo, mail_from=world.sender)["spf"]
    return Outcome(got["result"], got["explanation"], got["reason"])


def same(a, b):
    return a[:2] == b[:2]


def deviation(world, wanted):
    """By what the other differs; None where nothing listed explains it."""
    for names in (*((name,) for name in DEVIATIONS), tuple(DEVIATIONS)):
        if same(Peer(world, names).outcome(), wanted):
            return names[0] if len(names) == 1 else "several"
    return None


def describe(world, here, there):
    policies = "".join(f"{name}: {record}\n" for name, types in world.records.items()
                       for record in types.get("TXT") or ())
    return f"here {here}\nthere {there}\n{world.client} {world.helo} <{world.sender}>\n{policies}"


def main():
    with tap.Tests("peers spf", limit_s=300) as t:
        worlds = [spf_policies.World(random.Random(f"{SEED}/{i}")) for i in range(CASES)]
        results, differences, wrong = collections.Counter(), collections.Counter(), []
        for i, (world, here) in enumerate(zip(worlds, verify.each(ours, worlds))):
            there = Peer(world).outcome()
            results[here.result] += 1
            if same(here, there):
                continue
            name = deviation(world, here)
            differences[name] += 1
            if not name:
                wrong.append(f"case {i}: {describe(world, here, there)}")
        t.note(f"TEST_SEED={SEED}: {dict(results)}; other there: {dict(differences)}")
        t.ok(not wrong, f"{CASES} random policies: the results of python3-spf, its known deviations apart",
             "\n".join(wrong[:5]))
        t.equal(sorted(results), ["fail", "neutral", "none", "pass", "permerror", "softfail", "temperror"],
                "every result came up")


if __name__ == "__main__":
    main()
