"""The domains that send to the lab: their keys, their zone, and mail signed by them."""

import base64
import functools
import os
import subprocess

from .proc import run

# The lab's own domain, where its mailboxes are.
DOMAIN = "lab.example"
GATEWAY_NAME = "gate.lab.example"

CLIENT_IP, CLIENT_IP6 = "10.25.0.1", "fd25::1"
# A second address of the client that no SPF record lists.
UNLISTED_IP, UNLISTED_IP6 = "10.25.0.66", "fd25::66"
GATEWAY_IP, GATEWAY_IP6 = "10.25.0.2", "fd25::2"
PREFIX, PREFIX6 = 24, 64

# domain: its DMARC record (None: it has none)
POLICIES = {
    "pass.example": "v=DMARC1; p=reject; adkim=r; aspf=r",
    "none.example": "v=DMARC1; p=none",
    "junk.example": "v=DMARC1; p=quarantine",
    "plain.example": None,
}
SELECTORS = {"rsa": "r2048", "ed25519": "ed"}


def make_keys(directory):
    """One RSA and one Ed25519 key, shared by all sending domains. Keeps those that exist."""
    os.makedirs(directory, exist_ok=True)
    for algorithm, options in (("rsa", ("-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")),
                               ("ed25519", ("-algorithm", "ed25519"))):
        path = f"{directory}/{algorithm}.pem"
        if not os.path.exists(path):
            run("openssl", "genpkey", *options, "-out", path + ".new")
            os.rename(path + ".new", path)


@functools.lru_cache(maxsize=64)
def _der(directory, algorithm, *options):
    done = subprocess.run(["openssl", "pkey", "-in", f"{directory}/{algorithm}.pem", *options,
                           "-outform", "DER"], stdout=subprocess.PIPE, check=True)
    return done.stdout


@functools.lru_cache(maxsize=64)
def private_key(directory, algorithm):
    if algorithm == "rsa":
        with open(f"{directory}/rsa.pem", "rb") as f:
            return f.read()
    # PKCS #8 ends with the 32-octet seed, which is what the signer wants.
    return base64.b64encode(_der(directory, algorithm)[-32:])


def _public_key(directory, algorithm):
    der = _der(directory, algorithm, "-pubout")
    return base64.b64encode(der if algorithm == "rsa" else der[-32:]).decode()


def txt(owner, text):
    """A TXT line; a string of a record holds at most 255 octets."""
    parts = " ".join(f'"{text[i:i + 250]}"' for i in range(0, len(text), 250))
    return f"{owner} 300 IN TXT {parts}\n"


def dkim_record(directory, domain, algorithm):
    """The zone line of a domain's key."""
    return txt(f"{SELECTORS[algorithm]}._domainkey.{domain}.",
               f"v=DKIM1; k={algorithm}; p={_public_key(directory, algorithm)}")


def _reverse6(address):
    groups = address.split("::")
    full = "".join(g.zfill(4) for g in groups[0].split(":"))
    last = "".join(g.zfill(4) for g in groups[1].split(":"))
    return ".".join(reversed(full + "0" * (32 - len(full) - len(last)) + last)) + ".ip6.arpa."


def zone(directory):
    """The whole world's DNS as master-file lines with absolute names."""
    lines = [
        f"{DOMAIN}. 300 IN MX 10 {GATEWAY_NAME}.\n",
        f"{GATEWAY_NAME}. 300 IN A {GATEWAY_IP}\n",
        f"{GATEWAY_NAME}. 300 IN AAAA {GATEWAY_IP6}\n",
        f"{'.'.join(reversed(CLIENT_IP.split('.')))}.in-addr.arpa. 300 IN PTR out.pass.example.\n",
        f"{_reverse6(CLIENT_IP6)} 300 IN PTR out.pass.example.\n",
    ]
    for domain, policy in POLICIES.items():
        lines += [
            f"{domain}. 300 IN MX 10 out.{domain}.\n",
            f"out.{domain}. 300 IN A {CLIENT_IP}\n",
            f"out.{domain}. 300 IN AAAA {CLIENT_IP6}\n",
            txt(f"{domain}.", "v=spf1 mx -all"),
            txt(f"out.{domain}.", "v=spf1 a -all"),
        ]
        lines += [dkim_record(directory, domain, algorithm) for algorithm in SELECTORS]
        if policy:
            lines.append(txt(f"_dmarc.{domain}.", policy))
    # A domain whose name server is silent, and one whose server is broken.
    lines += [
        "silent.example. 300 IN TIMEOUT TXT\n",
        "_dmarc.silent.example. 300 IN TIMEOUT TXT\n",
        "broken.example. 300 IN SERVFAIL TXT\n",
        "_dmarc.broken.example. 300 IN SERVFAIL TXT\n",
    ]
    return "".join(lines)


def crlf(text):
    """Every line end as CRLF, whatever it was."""
    if isinstance(text, str):
        text = text.encode()
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def message(domain, body="Hello.\n", subject="a test", number=0, to=f"alice@{DOMAIN}",
            date="Tue, 24 Nov 2026 10:00:00 +0000"):
    """A plain message from a sender in the domain, unsigned."""
    return crlf(f"From: Sender <sender@{domain}>\nTo: <{to}>\nSubject: {subject}\n"
                f"Date: {date}\nMessage-ID: <{number}@{domain}>\n"
                "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" + body)


def sign(directory, text, domain, algorithm="rsa", canonicalization="relaxed/relaxed"):
    """The message with a DKIM-Signature field in front."""
    import dkim  # Debian's python3-dkim; only signing needs it
    header, body = canonicalization.encode().split(b"/")
    text = crlf(text)
    field = dkim.sign(text, SELECTORS[algorithm].encode(), domain.encode(),
                      private_key(directory, algorithm), canonicalize=(header, body),
                      signature_algorithm=f"{algorithm}-sha256".encode(),
                      include_headers=[b"From", b"To", b"Subject", b"Date", b"Message-ID"])
    return field + text
