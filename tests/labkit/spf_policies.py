"""Random SPF policies: a small world of domains whose records refer to each other, and the client
that is checked against them."""

import ipaddress

CLIENTS = ("192.0.2.1", "198.51.100.7", "2001:db8::1", "2001:db8:0:1::7")
DOMAINS = ("a.example", "b.example", "sub.a.example", "c.example", "d-d.example", "e.example")
HOSTS = tuple(f"h{i}.{d}" for i in range(4) for d in DOMAINS[:3])
# Names with no record, with a chain of aliases, in a loop, that cannot be looked up.
ODD = ("nothing.example", "alias.example", "chain.example", "loop.example", "sick.example")
EXPLAIN = ("exp.a.example", "exp.b.example")

MACROS = ("%{d}", "%{o}", "%{h}", "%{d2}", "%{d1r}.example", "%{l}.a.example", "%{l-}.b.example",
          "%{l1r-}.c.example", "%{i}.a.example", "%{ir}.%{v}.c.example", "%{p}", "%{p2}", "%{s}.example",
          "%{D}", "%{L}.a.example", "%{d}.", "h%{l1}.%{d}", "%%.a.example", "%{o1}.%{d2}", "%{v}.a.example",
          "%{lr+-}.c.example", "%{d128}", "%{d-}.a.example", "%{o1r-}", "a%-b.example", "a%_b.example")
WRONG = ("all:a.example", "a:", "a/33", "a//129", "mx/024", "ip4:192.0.2", "ip4:192.0.2.1/33", "ip4:192.0.2.01",
         "ip6:2001:db8::g", "ip6:::1/129", "exists", "include", "include:", "exists:%{d", "a:%{q}.example",
         "a:%(d).example", "a:%", "foo", "foo:bar", "a:localhost", "a:1.2.3.4", "redirect=", "exp=",
         "a:%{c}.a.example", "ptr/24", "++all", "a,", "a:b.example,", "=x", "1x=y", "moo=%{q}", "ip4", "ip6:",
         "include:b.example/24", "ip4:192.0.2.1//24", "a:-.example", "a:b.example-", "a:b.-x", "\u00e9=1",
         "a:b\u00e9.example", "all.", "v=spf1", "-")


class World:
    """records: {name: {type: [values]}}, a value a str, for MX (preference, name). A type whose
    values are None cannot be looked up."""

    def __init__(self, random):
        self.random = random
        self.records = {}
        self._addresses()
        self._odd()
        for domain in DOMAINS:
            self._policy(domain)
        self.client = random.choice(CLIENTS)
        self.helo = random.choice((*HOSTS, *DOMAINS, "Unknown.Example"))
        self.sender = random.choice(("", f"{self._local()}@a.example", f"{self._local()}@A.Example",
                                     f"{self._local()}@sub.a.example", f"{self._local()}@e.example"))
        self._names_of_client()

    def put(self, name, kind, value):
        self.records.setdefault(name, {}).setdefault(kind, []).append(value)

    def look_up(self, name, kind):
        """The values, through aliases; None where there is no answer."""
        for _ in range(3):
            records = self.records.get(name, {})
            if "CNAME" not in records:
                return records.get(kind, [])
            name = records["CNAME"][0]
        return None

    def _local(self):
        return self.random.choice(("user", "strong-bad", "a.b.c", "x+y-z", "O'Neil", "1", "postmaster"))

    def _addresses(self):
        pick = self.random
        for host in HOSTS:
            for _ in range(pick.choice((0, 1, 1, 2))):
                address = pick.choice((*CLIENTS, "192.0.2.200", "203.0.113.9", "2001:db8::ff"))
                self.put(host, "A" if "." in address else "AAAA", address)
        for domain in DOMAINS:
            if pick.random() < 0.6:
                self.put(domain, "A", pick.choice(("192.0.2.1", "203.0.113.1")))
            for _ in range(pick.choice((0, 1, 2, 2, 3, 11 if pick.random() < 0.2 else 1))):
                self.put(domain, "MX", (pick.randrange(30), pick.choice((*HOSTS, *ODD[:2]))))
        self.put("c.example", "A", "127.0.0.2")
        self.records.setdefault("a.example", {}).setdefault("A", ["192.0.2.77"])

    def _odd(self):
        self.records["alias.example"] = {"CNAME": [self.random.choice((*HOSTS, "nothing.example"))]}
        self.records["chain.example"] = {"CNAME": ["alias.example"]}
        self.records["loop.example"] = {"CNAME": ["loop2.example"]}
        self.records["loop2.example"] = {"CNAME": ["loop.example"]}
        self.records["sick.example"] = {kind: None for kind in ("A", "AAAA", "MX", "TXT")}
        self.put("exp.a.example", "TXT", "%{s} is not %{o}'s; see http://%{d}/why?i=%{I}&h=%{h}&c=%{c}")
        self.put("exp.b.example", "TXT", self.random.choice(("plain words", "%{x} is wrong", "100%", "%{p} %{v}")))

    def _names_of_client(self):
        name = ipaddress.ip_address(self.client).reverse_pointer
        for _ in range(self.random.choice((0, 1, 1, 2, 12 if self.random.random() < 0.1 else 1))):
            self.put(name, "PTR", self.random.choice((*HOSTS, "a.example", "nothing.example")))
        if self.random.random() < 0.03:
            self.records[name] = {"PTR": None}

    def _target(self):
        pick = self.random
        if pick.random() < 0.35:
            return pick.choice(MACROS)
        return pick.choice((*DOMAINS, *HOSTS, *HOSTS, *(ODD if pick.random() < 0.4 else DOMAINS)))

    def _network(self):
        pick = self.random
        if pick.random() < 0.6:
            return "ip4:" + pick.choice(("192.0.2.1", "192.0.2.0/24", "198.51.100.0/28", "203.0.113.9", "0.0.0.0/0",
                                         "192.0.2.9/31", "198.51.100.7/32"))
        return "ip6:" + pick.choice(("2001:db8::1", "2001:db8::/32", "2001:db8:0:1::/64", "::/0", "2001:DB8::2/127",
                                     "::ffff:192.0.2.1"))

    def _term(self):
        pick = self.random
        kind = pick.choice(("net", "net", "a", "a", "mx", "include", "include", "exists", "ptr", "unknown"))
        if kind == "net":
            term = self._network()
        elif kind in ("a", "mx"):
            term = kind + pick.choice(("", ":" + self._target(), ":" + self._target())) + \
                pick.choice(("", "", "", "/24", "//64", "/28//48", "/0", "//0"))
        elif kind == "ptr":
            term = kind + pick.choice(("", ":" + self._target()))
        elif kind == "unknown":
            return pick.choice(("moo=%{d}", "x-y_z.1=a%%b", "op=", "default=pass", f"m{pick.randrange(9)}=%{{p}}"))
        else:
            term = f"{kind}:{pick.choice(DOMAINS) if kind == 'include' and pick.random() < .8 else self._target()}"
        if pick.random() < 0.15:
            term = pick.choice((term.upper().replace("%{S", "%{s"), term.capitalize()))
        return pick.choice(("", "", "", "+", "?", "~", "-")) + term

    def _policy(self, domain):
        pick = self.random
        if pick.random() < 0.08:
            self.put(domain, "TXT", pick.choice(("v=spf10 +all", "spf2.0/pra +all", "v=spf1+all", "something else")))
            return
        terms = [self._term() for _ in range(pick.choice((1, 2, 2, 3, 4, 6, 12)))]
        if pick.random() < 0.08:
            terms.insert(pick.randrange(len(terms) + 1), pick.choice(WRONG))
        if pick.random() < 0.3:
            name = pick.choice(("redirect=", "redirect=", "Redirect="))
            terms.insert(pick.randrange(len(terms) + 1), name + self._target())
        elif pick.random() < 0.8:
            terms.append(pick.choice("-~?+") + "all")
        if pick.random() < 0.3:
            name = pick.choice((*EXPLAIN, "exp.%{d}", "nothing.example"))
            terms.insert(pick.randrange(len(terms) + 1), "exp=" + name)
        blanks = " " * pick.choice((1, 1, 1, 2))
        self.put(domain, "TXT", blanks.join((pick.choice(("v=spf1", "v=spf1", "V=SPF1")), *terms)) +
                 pick.choice(("", "", " ")))
        if pick.random() < 0.03:
            self.put(domain, "TXT", "v=spf1 -all")
        if pick.random() < 0.2:
            self.put(domain, "TXT", "something-site-verification=1")
