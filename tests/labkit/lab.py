"""The end-to-end topology.

    namespace of the client                       here
    +----------------------------+          +-------------------------------------+
    | swaks, kernel TCP          |          | posternd -- LMTP --> private Dovecot|
    | 10.25.0.1/24, .66 unlisted |== tap ===| 10.25.0.2     |                     |
    | fd25::1/64                 |   or     | fd25::2       +-- DNS: zone file,   |
    +----------------------------+   veth   +------------------ or NSD (loopback)-+

The gateway's addresses exist only behind the device and the client's only in its namespace, so
any number of labs stand side by side with the same addresses. (With af_xdp-shared the gateway's are
this kernel's, one set a lab, which does no harm: each is asked for and served by its own interface.) All that a lab makes has its name
in its state folder before it is made, so `down` also cleans up after an `up` that was killed.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import tempfile

from . import gateway, netns, peers, senders, smtp
from .dovecot import Dovecot
from .nsd import Nsd
from .proc import LabError

DEVICES = ("tap", "af_packet", "af_xdp", "af_xdp-shared", "kernel")
# Not /tmp, which may be memory: the spool writes past the page cache.
PARENT = "/var/tmp"
DEFAULT_STATE = f"{PARENT}/postern-lab"
MARKER = "postern-lab.json"
ACCOUNTS = {"alice": "wonderland", "bob": "builder", "postmaster": "master", "abuse": "desk"}


class Lab:
    def __init__(self, state=DEFAULT_STATE):
        self.state = os.path.abspath(state)
        self.dovecot = Dovecot(f"{self.state}/dovecot")
        self.nsd = Nsd(f"{self.state}/nsd")
        self.gateway = gateway.Gateway(self.state)
        self.facts = {}
        marker = f"{self.state}/{MARKER}"
        if os.path.exists(marker) and os.stat(self.state).st_uid == os.geteuid():
            with open(marker, encoding="utf-8") as f:
                self.facts = json.load(f)

    # --- names

    @property
    def netns(self):
        return f"plab-{self.facts['id']}"

    @property
    def link(self):
        """The gateway's end of the device, a name that also fits an alternative in 15 octets."""
        return f"p{self.facts['id']}g"

    @property
    def client_link(self):
        """What the client sees: the tap itself, or its end of the pair."""
        return self.link if self.facts["device"] == "tap" else f"p{self.facts['id']}c"

    @property
    def keys(self):
        return f"{self.state}/keys"

    @property
    def zone(self):
        return f"{self.state}/zone"

    @property
    def spool(self):
        return f"{self.state}/spool"

    def _remember(self, **facts):
        self.facts.update(facts)
        with open(f"{self.state}/{MARKER}.new", "w", encoding="utf-8") as f:
            json.dump(self.facts, f)
        os.rename(f"{self.state}/{MARKER}.new", f"{self.state}/{MARKER}")

    # --- up

    def up(self, device="tap", config=None, dns="zone", imaps_port=0, start_gateway=True, queues=1,
           progress=lambda text: None):
        if os.geteuid() != 0:
            raise LabError("a lab needs root (namespaces, tap)", "run it as root")
        if device not in DEVICES:
            raise LabError(f"device '{device}' is not one of {', '.join(DEVICES)}",
                           "choose one of these with --device")
        if self.facts:
            raise LabError(f"there is a lab under {self.state} already",
                           f"tests/lab down --state {self.state}, or choose another --state")
        if not os.path.isdir(self.state):
            try:
                os.mkdir(self.state)
            except OSError as error:
                raise LabError(f"cannot make {self.state}: {error.strerror}",
                               "choose another folder with --state") from error
        if os.stat(self.state).st_uid != os.geteuid():
            raise LabError(f"{self.state} belongs to somebody else",
                           "choose another folder with --state")
        if os.listdir(self.state):
            raise LabError(f"{self.state} is not empty", "choose another folder with --state")
        # mkdtemp makes 0700; the daemon and Dovecot drop to users that must get through.
        os.chmod(self.state, 0o755)
        self._remember(id=secrets.token_hex(4), device=device)
        try:
            progress("unpacking the peers (once)")
            peers.ensure()
            progress("making keys and the DNS zone")
            self._world(dns)
            progress("starting a private Dovecot")
            self._mailboxes(imaps_port)
            progress(f"making the client's namespace {self.netns} and the device ({device})")
            self._wire(queues)
            self._configure(config)
            if start_gateway:
                progress("starting posternd")
                self.start_gateway()
        except BaseException as error:
            if isinstance(error, LabError):
                error.keep_log()  # it goes with the lab
            self.down()
            raise
        return self

    def _world(self, dns):
        senders.make_keys(self.keys)
        with open(self.zone, "w", encoding="utf-8") as f:
            f.write(senders.zone(self.keys))
        self._remember(dns=dns)
        if dns == "forward":
            os.makedirs(self.nsd.dir, exist_ok=True)
            with open(f"{self.nsd.dir}/no-trust-anchor", "w", encoding="ascii"):
                pass
            self._remember(dns_port=self.nsd.start(self.zone))

    def _mailboxes(self, imaps_port):
        os.makedirs(self.dovecot.dir)
        rules = os.path.join(peers.SOURCE, "packaging", "sieve")
        sieve = [os.path.join(rules, name) for name in sorted(os.listdir(rules))
                 if name.endswith(".sieve")] if os.path.isdir(rules) else []
        self._remember(**self.dovecot.configure(senders.DOMAIN, ACCOUNTS, imaps_port, sieve))
        self.dovecot.start()

    def _client_addresses(self):
        addresses = [f"{senders.CLIENT_IP}/{senders.PREFIX}",
                     f"{senders.UNLISTED_IP}/{senders.PREFIX}"]
        if netns.has_ipv6():
            addresses += [f"{senders.CLIENT_IP6}/{senders.PREFIX6}",
                          f"{senders.UNLISTED_IP6}/{senders.PREFIX6}"]
        return addresses

    def _gateway_addresses(self):
        addresses = [f"{senders.GATEWAY_IP}/{senders.PREFIX}"]
        if netns.has_ipv6():
            addresses.append(f"{senders.GATEWAY_IP6}/{senders.PREFIX6}")
        return addresses

    def _wire(self, queues):
        netns.create(self.netns)
        if self.facts["device"] == "tap":
            return  # the daemon makes it; see _plug
        if self.facts["device"] == "kernel":
            # Client and daemon on one host: all addresses are the namespace's own.
            netns.address(self.netns, "lo", *self._client_addresses(), *self._gateway_addresses())
            return
        if self.facts["device"] == "af_xdp-shared":
            # The gateway's addresses are this kernel's, on the interface that it shares.
            netns.veth(self.link, self.client_link, self.netns, self._gateway_addresses(), queues=queues)
        else:
            netns.veth(self.link, self.client_link, self.netns, queues=queues)
        if self.facts["device"] == "af_packet":
            netns.steer_receive(self.link)
        netns.address(self.netns, self.client_link, *self._client_addresses())

    def _plug(self):
        """Moves the tap that the daemon made to the client: its kernel end is the client's."""
        if self.facts["device"] != "tap":
            return
        netns.run("ip", "link", "set", self.link, "netns", self.netns)
        netns.address(self.netns, self.link, *self._client_addresses())

    def settings(self):
        """The lab's own configuration, over which --config is merged."""
        if self.facts["dns"] == "forward":
            # Its root is not signed by the real one's key: no trust anchor, no validation.
            dns = {"forward": [f"127.0.0.1@{self.facts['dns_port']}"],
                   "root_key": f"{self.nsd.dir}/no-trust-anchor"}
        else:
            dns = {"zone": self.zone}
        return {
            "hostname": senders.GATEWAY_NAME,
            "authserv_id": senders.GATEWAY_NAME,
            "postmaster": f"postmaster@{senders.DOMAIN}",
            "listen": [{"device": self._device(),
                        "addresses": self._gateway_addresses(), "ports": [25],
                        # Whoever is not on the link is the client's to reach.
                        "gateway": senders.CLIENT_IP}],
            "domains": [senders.DOMAIN],
            "recipients": {"file": f"{self.state}/recipients"},
            "dns": dns,
            "policy": {"dmarc": {"on_reject": "reject"}},
            "spool": {"path": self.spool},
            "delivery": {"backends": [{"lmtp": f"unix:{self.dovecot.lmtp_socket}"}]},
            "control": {"socket": self.gateway.control},
        }

    def _device(self):
        device = self.facts["device"]
        return device if device == "kernel" else f"{device}:{self.link}"

    def _configure(self, config):
        os.makedirs(self.spool, mode=0o700)
        with open(f"{self.state}/recipients", "w", encoding="utf-8") as f:
            f.writelines(f"{user}@{senders.DOMAIN}\n" for user in ACCOUNTS)
        self.gateway.configure(self.settings(), config)

    def start_gateway(self):
        inside = self.netns if self.facts["device"] == "kernel" else None
        return self.gateway.start(netns=inside, device_ready=self._plug)

    # --- down

    def down(self):
        """Ends and removes all that the lab made; what is gone already is no error."""
        if not self.facts:
            return
        problems = []
        for step in (self.gateway.stop, self.dovecot.stop, self.nsd.stop,
                     lambda: netns.delete_link(self.link), lambda: netns.delete(self.netns)):
            try:
                step()
            except (LabError, OSError) as error:
                problems.append(str(error))
        if problems:
            raise LabError("; ".join(problems), f"settle that, then tests/lab down --state {self.state}")
        shutil.rmtree(self.state)
        self.facts = {}

    # --- use

    def values(self):
        """What `tests/lab up` prints."""
        return {
            "STATE": self.state,
            "DEVICE": self.facts["device"],
            "GATEWAY_IP": senders.GATEWAY_IP,
            "GATEWAY_IP6": senders.GATEWAY_IP6,
            "GATEWAY_PORT": "25",
            "CLIENT_NETNS": self.netns,
            "CLIENT_LINK": self.client_link,
            "CLIENT_IP": senders.CLIENT_IP,
            "CLIENT_IP6": senders.CLIENT_IP6,
            "UNLISTED_IP": senders.UNLISTED_IP,
            "UNLISTED_IP6": senders.UNLISTED_IP6,
            "DOMAIN": senders.DOMAIN,
            "ZONE": self.zone,
            "KEYS": self.keys,
            "MAILDIR": f"{self.dovecot.home('alice')}/Maildir",
            "LMTP": f"unix:{self.dovecot.lmtp_socket}",
            "LMTP_TCP": f"tcp:127.0.0.1:{self.facts['lmtp_port']}",
            "IMAPS": f"127.0.0.1:{self.facts['imaps_port']}",
            "CONTROL": self.gateway.control,
            "CONFIG": self.gateway.config,
            "SPOOL": self.spool,
            "LOG": self.gateway.log,
            "PID": str(self.gateway.process.pid or ""),
            "DOVECOT_PID": str(self.dovecot.process.pid),
            "DOVECOT_LOG": self.dovecot.log,
        }

    def socket(self, family=socket.AF_INET):
        """A TCP socket of the client."""
        return netns.tcp_socket(self.netns, family)

    def connect(self, host=senders.GATEWAY_IP, source=None, timeout_s=20):
        return smtp.connect(self.socket, host, source=source, timeout_s=timeout_s)

    def run(self, *argv, **kw):
        """Runs a command as the client."""
        return netns.run("ip", "netns", "exec", self.netns, *argv, **kw)

    def signed(self, domain, text, **kw):
        return senders.sign(self.keys, text, domain, **kw)


@contextlib.contextmanager
def temporary(config=None, device=None, **kw):
    """A lab for one test: config is a map that is merged over the lab's own."""
    device = device or os.environ.get("LAB_DEVICE", "tap")
    parent = tempfile.mkdtemp(prefix="plab.", dir=PARENT)
    os.chmod(parent, 0o755)
    lab = Lab(f"{parent}/s")
    try:
        path = None
        if config:
            path = f"{parent}/config"
            with open(path, "w", encoding="utf-8") as f:
                gateway.yaml.safe_dump(config, f)
        lab.up(device=device, config=path, **kw)
        yield lab
    finally:
        try:
            lab.down()
        finally:
            shutil.rmtree(parent, ignore_errors=not lab.facts)


def added_and_content(stored, content):
    """Splits a stored message into the fields put in front and what was sent, None if it differs."""
    if not stored.endswith(content):
        return None
    return stored[:len(stored) - len(content)]


def fields(block, name):
    """The unfolded values of all fields of a name in a header block."""
    head = block.partition(b"\r\n\r\n")[0]
    head = re.sub(rb"\r\n(?=[ \t])", b"", head)
    prefix = name.lower().encode() + b":"
    return [line[len(prefix):].strip().decode("utf-8", "replace")
            for line in head.split(b"\r\n") if line.lower().startswith(prefix)]
