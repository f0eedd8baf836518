"""A private Dovecot: LMTP on a unix socket and on TCP, IMAPS, Maildir, accounts in a file."""

import contextlib
import hashlib
import os
import re
import socket
import subprocess

from . import netns, peers
from .proc import LabError, Process, run, wait_until

CONFIGURATION = """\
# written by tests/lab
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
default_internal_group = dovecot

ssl = required
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login
# alice@any of our domains is the account alice
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}

mail_location = maildir:~/Maildir
# Stored as received, so that tests can compare byte for byte.
mail_save_crlf = yes
mail_fsync = never
first_valid_uid = {uid}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
}}

service lmtp {{
  unix_listener {dir}/lmtp.sock {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
  inet_listener lmtps {{
    address = 127.0.0.1
    port = {lmtps_port}
    ssl = yes
  }}
  process_min_avail = 1
}}
service auth {{
  unix_listener {dir}/auth.sock {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps_port}
    ssl = yes
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@{domain}
  mail_plugins = $mail_plugins {lmtp_plugins}
}}
plugin {{
  sieve_before = {dir}/sieve
}}
"""


def _arrival(path):
    """Maildir names are SECONDS.M<microseconds>P...; the numbers have no leading zeros."""
    found = re.match(r"(\d+)\.M(\d+)P", os.path.basename(path))
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


class Dovecot:
    """One instance under a directory of its own; several run side by side."""

    def __init__(self, directory):
        self.dir = directory
        self.process = Process(f"{directory}/pid")

    @property
    def lmtp_socket(self):
        return f"{self.dir}/lmtp.sock"

    @property
    def log(self):
        return f"{self.dir}/log"

    def home(self, user):
        return f"{self.dir}/mail/{user}"

    def configure(self, domain, accounts, imaps_port=0, sieve=()):
        """Writes configuration, accounts {name: password} and a certificate. Returns the ports.

        sieve: files of rules that run before delivery."""
        if len(f"{self.dir}/run/auth-token-secret.dat.tmp") > 100:
            raise LabError(f"the path {self.dir} is too long for unix sockets",
                           "give a shorter folder with --state, /var/tmp/lab say")
        for name in ("run", "state", "mail", "sieve"):
            os.makedirs(f"{self.dir}/{name}", exist_ok=True)
        for path in sieve:
            run("cp", path, f"{self.dir}/sieve/")
        os.chown(f"{self.dir}/mail", peers.VMAIL, peers.VMAIL)
        with open(f"{self.dir}/users", "w", encoding="utf-8") as f:
            for user, password in accounts.items():
                f.write(f"{user}:{{PLAIN}}{password}:{peers.VMAIL}:{peers.VMAIL}::"
                        f"{self.home(user)}::\n")
        self.certify()
        ports = {"lmtp_port": netns.free_port(), "lmtps_port": netns.free_port(),
                 "imaps_port": netns.free_port(preferred=imaps_port)}
        with open(f"{self.dir}/dovecot.conf", "w", encoding="utf-8") as f:
            f.write(CONFIGURATION.format(dir=self.dir, domain=domain, uid=peers.VMAIL,
                                         lmtp_plugins="sieve" if sieve else "", **ports))
        for path in sieve:
            run(*peers.argv("sievec", "-c", f"{self.dir}/dovecot.conf",
                            f"{self.dir}/sieve/{os.path.basename(path)}"))
        return ports

    @property
    def certificate(self):
        return f"{self.dir}/cert.pem"

    def certify(self, names="DNS:localhost,IP:127.0.0.1"):
        """A new key and a certificate of its own for these names; for the next start."""
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
            f"subjectAltName={names}", "-keyout", f"{self.dir}/key.pem", "-out", self.certificate)

    def pin(self):
        """SHA-256 of the certificate's public key, in hex."""
        key = run("openssl", "x509", "-in", self.certificate, "-noout", "-pubkey").encode()
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key,
                             stdout=subprocess.PIPE, check=True).stdout
        return hashlib.sha256(der).hexdigest()

    def start(self):
        # What a kill left: a socket in the way of our test for readiness, and a process id that
        # another process may have by now, which Dovecot would take for itself running.
        for path in (self.lmtp_socket, f"{self.dir}/run/master.pid"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self.process.start(peers.argv("dovecot", "-F", "-c", f"{self.dir}/dovecot.conf"), self.log)
        wait_until(self.answers, 15, "Dovecot's LMTP socket", self.process, self.log)
        return self.process.pid

    def answers(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            try:
                s.connect(self.lmtp_socket)
                return s.recv(512).startswith(b"220 ")
            except OSError:
                return False

    def stop(self):
        return self.process.stop()

    # --- the mailboxes, read as files

    def _folder(self, user, folder):
        maildir = f"{self.home(user)}/Maildir"
        return maildir if folder == "INBOX" else f"{maildir}/.{folder}"

    def files(self, user, folder="INBOX"):
        """The paths of the messages in a folder, in order of arrival."""
        found = []
        for part in ("new", "cur"):
            try:
                with os.scandir(f"{self._folder(user, folder)}/{part}") as entries:
                    found += [e.path for e in entries]
            except FileNotFoundError:
                pass
        return sorted(found, key=_arrival)

    def messages(self, user, folder="INBOX"):
        texts = []
        for path in self.files(user, folder):
            with open(path, "rb") as f:
                texts.append(f.read())
        return texts

    def count(self, user, folder="INBOX"):
        return len(self.files(user, folder))

    def wait_for(self, count, user, timeout_s=20, folder="INBOX"):
        """Waits until that many messages are there and returns them."""
        wait_until(lambda: self.count(user, folder) >= count, timeout_s,
                   f"{count} messages for {user} in {folder} (there are "
                   f"{self.count(user, folder)} at the start)", log=self.log)
        return self.messages(user, folder)
